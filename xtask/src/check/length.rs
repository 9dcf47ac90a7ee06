//! How long files and functions may be, and which lines of a file are test code.

use std::ops::RangeInclusive;

use proc_macro2::Span;
use syn::{
    Attribute, Block, ImplItemFn, ItemFn, ItemImpl, ItemMod, Meta, Signature, TraitItemFn,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use super::{Breach, exempt, tree::File};

/// The most lines a file may have.
const FILE_LINES: usize = 400;

/// The most lines a function may have, from its first to its closing brace.
const FUNCTION_LINES: usize = 80;

/// Checks the file's length and that of each function in it.
pub(crate) fn check(file: &File, syntax: &syn::File, tests: &[RangeInclusive<usize>]) -> Vec<Breach> {
    if exempt::is_test_file(&file.path) || exempt::is_bench(&file.path) {
        return Vec::new();
    }
    let mut functions = Functions::default();
    functions.visit_file(syntax);
    let mut breaches = Vec::new();
    let in_test = |line: usize| tests.iter().any(|lines| lines.contains(&line));
    let lines = (1..=file.text.lines().count())
        .filter(|line| !in_test(*line))
        .count();
    let table = functions.found.is_empty() && !functions.macros;
    if lines > FILE_LINES && !table {
        let what = format!("{lines} lines in a file, {FILE_LINES} at most");
        breaches.push(Breach::new(
            &file.path,
            FILE_LINES + 1,
            what,
            "split it by use case, not by size",
        ));
    }
    for function in functions.found {
        if function.lines > FUNCTION_LINES && !in_test(function.line) {
            let what = format!(
                "`{}` has {} lines, {FUNCTION_LINES} at most",
                function.name, function.lines
            );
            breaches.push(Breach::new(
                &file.path,
                function.line,
                what,
                "give its steps names of their own",
            ));
        }
    }
    breaches
}

/// The lines of items under `#[cfg(test)]`.
pub(crate) fn test_lines(syntax: &syn::File) -> Vec<RangeInclusive<usize>> {
    let mut tests = TestItems::default();
    tests.visit_file(syntax);
    tests.found
}

#[derive(Debug)]
struct Function {
    name: String,
    line: usize,
    lines: usize,
}

/// Collects every function that has a body.
#[derive(Debug, Default)]
struct Functions {
    found: Vec<Function>,
    macros: bool,
}

impl Functions {
    fn add(&mut self, signature: &Signature, block: &Block) {
        let line = signature.fn_token.span.start().line;
        let end = block.brace_token.span.close().end().line;
        self.found.push(Function {
            name: signature.ident.to_string(),
            line,
            lines: end + 1 - line,
        });
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.add(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(block) = &item.default {
            self.add(&item.sig, block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        self.macros = true;
        visit::visit_item_macro(self, item);
    }
}

/// Collects the lines of items that exist in tests only.
#[derive(Debug, Default)]
struct TestItems {
    found: Vec<RangeInclusive<usize>>,
}

impl TestItems {
    /// Keeps the item's lines if it is for tests; says whether it did.
    fn keep(&mut self, attributes: &[Attribute], span: Span) -> bool {
        let kept = attributes.iter().any(is_for_tests);
        if kept {
            self.found.push(span.start().line..=span.end().line);
        }
        kept
    }
}

impl<'ast> Visit<'ast> for TestItems {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !self.keep(&item.attrs, item.span()) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        self.keep(&item.attrs, item.span());
    }

    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        if !self.keep(&item.attrs, item.span()) {
            visit::visit_item_impl(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.keep(&item.attrs, item.span());
    }
}

/// `#[cfg(test)]`, `#[cfg(all(test, ..))]`, but not `#[cfg(not(test))]`.
fn is_for_tests(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else {
        return false;
    };
    let text = list.tokens.to_string();
    let words = || text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    list.path.is_ident("cfg") && words().any(|word| word == "test") && !words().any(|word| word == "not")
}
