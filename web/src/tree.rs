//! The files of a share as a tree of folders: which rows there are when some folders are open and something
//! is looked for, and how much of each is wanted. What rows look like is the page's (`file_tree.rs`).
//!
//! Nodes are in the order in which they are read from top to bottom, so that all that is in a folder comes
//! right after it.

use std::ops::Range;

/// More rows than this are not shown by themselves: then only the outermost folders are open.
const OPEN_ROWS: usize = 200;

/// The number of a node, from the top.
pub type NodeIndex = u32;

/// A share's files and their folders.
#[derive(Debug, Default, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
}

/// A file or a folder.
#[derive(Debug, PartialEq)]
pub struct Node {
    /// Its own name.
    pub name: String,
    /// The folder that it is in.
    pub parent: Option<NodeIndex>,
    /// How many folders it is in.
    pub depth: u16,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// The places in the share of the files that it is, or holds.
    pub files: Range<u32>,
    /// Bytes of these.
    pub size: f64,
    /// The first node after it that is not in it.
    end: NodeIndex,
}

/// A node that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    /// Which.
    pub node: NodeIndex,
    /// The how many-eth it is among those in its folder that are shown, from 1 on.
    pub position: u32,
    /// How many are shown in its folder.
    pub of: u32,
}

/// How much of a node is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Nothing.
    None,
    /// Some of its files.
    Some,
    /// All of it.
    All,
}

/// What is wanted, in few words: what holds for most files, and runs of others as first, count and number.
pub type Choice = (u8, Vec<(u32, u32, u8)>);

impl Tree {
    /// The tree of these files: their paths, one on each line, those in one folder after each other, and
    /// their sizes in bytes.
    pub fn new(paths: &str, sizes: &[f64]) -> Self {
        let mut tree = Self { nodes: Vec::with_capacity(sizes.len() + 16) };
        // The folders that the last file is in.
        let mut open: Vec<NodeIndex> = Vec::new();
        for ((file, path), &size) in (0..).zip(paths.split('\n')).zip(sizes) {
            let (folders, name) = path.rsplit_once('/').unwrap_or(("", path));
            let mut depth = 0;
            for folder in folders.split('/').filter(|_| !folders.is_empty()) {
                let same =
                    open.get(depth).is_some_and(|&at| tree.nodes[at as usize].name == folder);
                if !same {
                    tree.close(&mut open, depth);
                    let node = tree.push(folder, true, open.last().copied(), depth, file);
                    open.push(node);
                }
                depth += 1;
            }
            tree.close(&mut open, depth);
            let node = tree.push(name, false, open.last().copied(), depth, file);
            for &at in open.iter().chain([&node]) {
                let node = &mut tree.nodes[at as usize];
                (node.files.end, node.size) = (file + 1, node.size + size);
            }
        }
        tree.close(&mut open, 0);
        tree
    }

    fn push(
        &mut self,
        name: &str,
        is_folder: bool,
        parent: Option<NodeIndex>,
        depth: usize,
        file: u32,
    ) -> NodeIndex {
        let node = self.nodes.len() as NodeIndex;
        self.nodes.push(Node {
            name: name.to_owned(),
            parent,
            depth: u16::try_from(depth).unwrap_or(u16::MAX),
            is_folder,
            files: file..file,
            size: 0.0,
            end: node + 1,
        });
        node
    }

    /// The folders from `depth` on hold nothing more.
    fn close(&mut self, open: &mut Vec<NodeIndex>, depth: usize) {
        let end = self.nodes.len() as NodeIndex;
        for folder in open.drain(depth.min(open.len())..) {
            self.nodes[folder as usize].end = end;
        }
    }

    /// All nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One node.
    ///
    /// # Panics
    /// If there is no such node.
    pub fn node(&self, node: NodeIndex) -> &Node {
        &self.nodes[node as usize]
    }

    /// The path of a node in the share.
    pub fn path(&self, node: NodeIndex) -> String {
        let mut names: Vec<&str> = self.up(node).map(|at| &*self.node(at).name).collect();
        names.reverse();
        names.join("/")
    }

    /// A node and the folders that it is in, from the innermost on.
    fn up(&self, node: NodeIndex) -> impl Iterator<Item = NodeIndex> {
        std::iter::successors(Some(node), |&at| self.node(at).parent)
    }

    /// Which folders are open before anybody opens or closes one: all, if few rows come of that; else the
    /// outermost.
    pub fn open_at_first(&self) -> Vec<bool> {
        let few = self.nodes.len() <= OPEN_ROWS;
        self.nodes.iter().map(|node| node.is_folder && (few || node.depth == 0)).collect()
    }

    /// The nodes in whose path all words of `text` occur, in small or capital letters, and the folders that
    /// lead there; `None` if nothing is looked for.
    pub fn matching(&self, text: &str) -> Option<Vec<bool>> {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        if words.is_empty() {
            return None;
        }
        let mut shown = vec![false; self.nodes.len()];
        for (at, node) in (0..).zip(&self.nodes) {
            if !node.is_folder {
                let path = self.path(at).to_lowercase();
                if words.iter().all(|word| path.contains(word)) {
                    // Further up all are shown already.
                    let up = self.up(at).take_while(|&it| !shown[it as usize]);
                    up.collect::<Vec<_>>().into_iter().for_each(|it| shown[it as usize] = true);
                }
            }
        }
        Some(shown)
    }

    /// The rows from top to bottom. What is in a folder is shown if that is open; with `matching`, only
    /// these nodes are.
    pub fn rows(&self, open: &[bool], matching: Option<&[bool]>) -> Vec<Row> {
        let mut rows = Vec::new();
        // How many there are in each folder, and among those that are in none.
        let mut counts = vec![0; self.nodes.len() + 1];
        let place = |node: &Node| node.parent.map_or(self.nodes.len(), |parent| parent as usize);
        let mut at = 0;
        while let Some(node) = self.nodes.get(at) {
            if matching.is_some_and(|matching| !matching[at]) {
                at = node.end as usize;
                continue;
            }
            let count = &mut counts[place(node)];
            *count += 1;
            rows.push(Row { node: at as NodeIndex, position: *count, of: 0 });
            at = if open[at] || !node.is_folder { at + 1 } else { node.end as usize };
        }
        for row in &mut rows {
            row.of = counts[place(self.node(row.node))];
        }
        rows
    }

    /// How much of a node is wanted; `priorities` has a number for each file, 0 if it is not.
    pub fn part(&self, node: NodeIndex, priorities: &[u8]) -> Part {
        let mut wanted = self.files(node, priorities).iter().map(|&it| it != 0);
        match wanted.next() {
            None => Part::None,
            Some(first) if wanted.all(|it| it == first) => {
                if first {
                    Part::All
                } else {
                    Part::None
                }
            }
            Some(_) => Part::Some,
        }
    }

    /// The number that all files of a node that are wanted have.
    pub fn priority(&self, node: NodeIndex, priorities: &[u8]) -> Option<u8> {
        let mut wanted = self.files(node, priorities).iter().copied().filter(|&it| it != 0);
        let first = wanted.next()?;
        wanted.all(|it| it == first).then_some(first)
    }

    /// What there is of each of a node's files.
    fn files<'a>(&self, node: NodeIndex, all: &'a [u8]) -> &'a [u8] {
        let files = &self.node(node).files;
        all.get(files.start as usize..files.end as usize).unwrap_or_default()
    }

    /// The next row after `from`, and then from the top, whose name begins with `text`, in small or capital
    /// letters.
    pub fn row_named(&self, rows: &[Row], from: usize, text: &str) -> Option<usize> {
        let text = text.to_lowercase();
        let order = (0..rows.len()).map(|i| (from + i) % rows.len());
        let is_named = |row: &Row| self.node(row.node).name.to_lowercase().starts_with(&text);
        order.into_iter().find(|&at| is_named(&rows[at]))
    }
}

/// What is wanted of all files, in as few words as can be.
pub fn choice(priorities: &[u8]) -> Choice {
    let mut counts = [0; 256];
    priorities.iter().for_each(|&it| counts[usize::from(it)] += 1);
    // Of two that are as frequent the less urgent.
    let most = counts.iter().max().copied().unwrap_or(0);
    let rest = (0..=u8::MAX).find(|&it| counts[usize::from(it)] == most).unwrap_or(0);
    let (mut runs, mut at): (Vec<(u32, u32, u8)>, u32) = (Vec::new(), 0);
    for run in priorities.chunk_by(|a, b| a == b) {
        let length = run.len() as u32;
        if run[0] != rest {
            runs.push((at, length, run[0]));
        }
        at += length;
    }
    (rest, runs)
}

/// A name in two: what may be cut short, and its extension, which must be seen.
pub fn split_name(name: &str) -> (&str, &str) {
    const MAX_EXTENSION_CHARS: usize = 12;
    match name.rfind('.') {
        Some(dot) if dot > 0 && name[dot..].chars().count() <= MAX_EXTENSION_CHARS => {
            name.split_at(dot)
        }
        _ => (name, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: &str = "album/a/1.jpg\nalbum/a/2.jpg\nalbum/b/1.jpg\nalbum/notes.txt\nloose.txt";

    fn tree() -> Tree {
        Tree::new(PATHS, &[1.0, 2.0, 4.0, 8.0, 16.0])
    }

    fn names(tree: &Tree, rows: &[Row]) -> Vec<String> {
        rows.iter()
            .map(|row| format!("{} {}/{}", tree.path(row.node), row.position, row.of))
            .collect()
    }

    #[test]
    fn folders_hold_what_follows_them() {
        let tree = tree();
        let told: Vec<_> = tree
            .nodes()
            .iter()
            .map(|it| (&*it.name, it.depth, it.is_folder, it.files.clone(), it.size, it.end))
            .collect();
        assert_eq!(
            told,
            [
                ("album", 0, true, 0..4, 15.0, 7),
                ("a", 1, true, 0..2, 3.0, 4),
                ("1.jpg", 2, false, 0..1, 1.0, 3),
                ("2.jpg", 2, false, 1..2, 2.0, 4),
                ("b", 1, true, 2..3, 4.0, 6),
                ("1.jpg", 2, false, 2..3, 4.0, 6),
                ("notes.txt", 1, false, 3..4, 8.0, 7),
                ("loose.txt", 0, false, 4..5, 16.0, 8),
            ]
        );
        assert_eq!(tree.path(5), "album/b/1.jpg");
        assert_eq!(tree.node(5).parent, Some(4));
    }

    #[test]
    fn rows_are_those_of_open_folders_with_their_places_in_them() {
        let tree = tree();
        let mut open = tree.open_at_first();
        assert_eq!(tree.rows(&open, None).len(), 8);
        open[1] = false;
        assert_eq!(
            names(&tree, &tree.rows(&open, None)),
            [
                "album 1/2",
                "album/a 1/3",
                "album/b 2/3",
                "album/b/1.jpg 1/1",
                "album/notes.txt 3/3",
                "loose.txt 2/2"
            ]
        );
        open[0] = false;
        assert_eq!(names(&tree, &tree.rows(&open, None)), ["album 1/2", "loose.txt 2/2"]);
    }

    #[test]
    fn what_is_looked_for_is_shown_with_the_folders_that_lead_there() {
        let tree = tree();
        assert_eq!(tree.matching("  "), None);
        let matching = tree.matching("JPG b/").unwrap();
        let rows = tree.rows(&tree.open_at_first(), Some(&matching));
        assert_eq!(names(&tree, &rows), ["album 1/1", "album/b 1/1", "album/b/1.jpg 1/1"]);
        assert!(tree.rows(&tree.open_at_first(), tree.matching("none").as_deref()).is_empty());
    }

    #[test]
    fn of_many_files_only_the_outermost_folders_are_open() {
        let path = |i: u32| format!("all/{}/{i:05}", i / 100);
        let paths: Vec<String> = (0..20_000).map(path).collect();
        let tree = Tree::new(&paths.join("\n"), &vec![1.0; 20_000]);
        let rows = tree.rows(&tree.open_at_first(), None);
        assert_eq!(rows.len(), 1 + 200);
        assert_eq!(tree.rows(&vec![true; tree.nodes().len()], None).len(), 1 + 200 + 20_000);
    }

    #[test]
    fn a_folder_is_wanted_whole_in_part_or_not_at_all() {
        let tree = tree();
        let part = |node, priorities: [u8; 5]| tree.part(node, &priorities);
        assert_eq!(part(0, [2, 2, 2, 2, 0]), Part::All);
        assert_eq!(part(0, [2, 2, 0, 2, 0]), Part::Some);
        assert_eq!(part(4, [2, 2, 0, 2, 0]), Part::None);
        assert_eq!(part(7, [0, 0, 0, 0, 3]), Part::All);
        assert_eq!(tree.priority(0, &[2, 0, 2, 2, 0]), Some(2));
        assert_eq!(tree.priority(0, &[2, 3, 2, 2, 0]), None);
        assert_eq!(tree.priority(7, &[2, 2, 2, 2, 0]), None);
    }

    #[test]
    fn a_choice_is_told_in_runs() {
        assert_eq!(choice(&[2; 20_000]), (2, vec![]));
        assert_eq!(choice(&[2, 0, 0, 2, 2, 3]), (2, vec![(1, 2, 0), (5, 1, 3)]));
        assert_eq!(choice(&[2, 0]), (0, vec![(0, 1, 2)]));
        assert_eq!(choice(&[]), (0, vec![]));
    }

    #[test]
    fn typing_goes_to_the_next_row_of_that_name() {
        let tree = tree();
        let rows = tree.rows(&tree.open_at_first(), None);
        assert_eq!(tree.row_named(&rows, 1, "L"), Some(7));
        assert_eq!(tree.row_named(&rows, 3, "1."), Some(5));
        assert_eq!(tree.row_named(&rows, 6, "1."), Some(2));
        assert_eq!(tree.row_named(&rows, 0, "none"), None);
        assert_eq!(tree.row_named(&[], 0, "a"), None);
    }

    #[test]
    fn an_extension_is_not_cut_off() {
        assert_eq!(split_name("long name.tar.gz"), ("long name.tar", ".gz"));
        assert_eq!(split_name(".profile"), (".profile", ""));
        assert_eq!(split_name("notes"), ("notes", ""));
        assert_eq!(split_name("a.reallylongextension"), ("a.reallylongextension", ""));
    }

    #[test]
    fn an_empty_share_has_no_rows() {
        let tree = Tree::new("", &[]);
        assert!(tree.rows(&tree.open_at_first(), None).is_empty());
    }
}
