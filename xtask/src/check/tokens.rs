//! A Rust file as one flat row of tokens, so that a rule also sees what stands inside macros.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One token with its line, from 1.
#[derive(Debug)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: Kind,
    /// The line it starts on.
    pub(crate) line: usize,
}

/// The kinds of tokens that the rules tell apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name or a keyword.
    Word(String),
    /// One punctuation character.
    Mark(char),
    /// The start of a group, with the place of its end in the row.
    Open(Delimiter, usize),
    /// The end of a group, with the place of its start in the row.
    Close(usize),
    /// A number, a string, a character.
    Literal,
}

/// The tokens of a file.
#[derive(Debug)]
pub(crate) struct Row(Vec<Token>);

impl Row {
    /// Flattens a token stream.
    pub(crate) fn new(stream: TokenStream) -> Self {
        let mut row = Vec::new();
        flatten(stream, &mut row);
        Self(row)
    }

    /// How many tokens there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The line of the token at a place.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.0.get(at).map_or(1, |token| token.line)
    }

    /// The token at a place.
    pub(crate) fn kind(&self, at: usize) -> Option<&Kind> {
        self.0.get(at).map(|token| &token.kind)
    }

    /// The name at a place, if a name stands there.
    pub(crate) fn word(&self, at: usize) -> Option<&str> {
        match self.kind(at) {
            Some(Kind::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// Whether the character stands at a place.
    pub(crate) fn is_mark(&self, at: usize, mark: char) -> bool {
        self.kind(at) == Some(&Kind::Mark(mark))
    }

    /// Whether `::` starts at a place.
    pub(crate) fn is_path_mark(&self, at: usize) -> bool {
        self.is_mark(at, ':') && self.is_mark(at + 1, ':')
    }

    /// The end of the group with this delimiter that starts at a place.
    pub(crate) fn group_end(&self, at: usize, delimiter: Delimiter) -> Option<usize> {
        match self.kind(at) {
            Some(Kind::Open(found, end)) if *found == delimiter => Some(*end),
            _ => None,
        }
    }
}

fn flatten(stream: TokenStream, row: &mut Vec<Token>) {
    for tree in stream {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                let start = row.len();
                row.push(Token {
                    kind: Kind::Literal,
                    line,
                });
                flatten(group.stream(), row);
                let end = row.len();
                row.push(Token {
                    kind: Kind::Close(start),
                    line: group.span_close().start().line,
                });
                if let Some(open) = row.get_mut(start) {
                    open.kind = Kind::Open(group.delimiter(), end);
                }
            }
            TokenTree::Ident(ident) => row.push(Token {
                kind: Kind::Word(ident.to_string()),
                line,
            }),
            TokenTree::Punct(punct) => row.push(Token {
                kind: Kind::Mark(punct.as_char()),
                line,
            }),
            TokenTree::Literal(_) => row.push(Token {
                kind: Kind::Literal,
                line,
            }),
        }
    }
}
