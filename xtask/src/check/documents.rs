//! Links between the repository's documents lead somewhere.

use super::{
    Breach,
    tree::{Tree, has_ending},
};

/// Checks every relative link in a Markdown file.
pub(crate) fn check(tree: &Tree) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for file in tree.files.iter().filter(|file| has_ending(&file.path, "md")) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut fenced = false;
        for (index, line) in file.text.lines().enumerate() {
            fenced ^= line.trim_start().starts_with("```");
            for target in links(line).filter(|_| !fenced) {
                if !tree.root.join(folder).join(target).exists() {
                    let what = format!("the link to `{target}` leads nowhere");
                    breaches.push(Breach::new(
                        &file.path,
                        index + 1,
                        what,
                        "name a file that is there",
                    ));
                }
            }
        }
    }
    breaches
}

/// The paths that a line links to, without other sites and without places inside a page.
fn links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split_once(')')?.0;
        let path = target.split_once('#').map_or(target, |(path, _)| path);
        (!path.is_empty() && !path.contains("://") && !path.starts_with("mailto:")).then_some(path)
    })
}
