//! Where files end up in a share: the paths they are given when dropped, picked or pasted, before the core
//! checks them.

use std::collections::{HashMap, HashSet};

/// Gives every group of paths its own top name: two folders called `photos`, or three pasted files called
/// `image.png`, become `photos` and `photos (2)`, `image.png`, `image (2).png` and `image (3).png`.
///
/// Each item of `groups` is what one dropped file or folder consists of: paths joined by `/` that all begin
/// with the same name.
pub fn tell_apart(groups: Vec<Vec<String>>) -> Vec<Vec<String>> {
    let mut taken = HashSet::new();
    let mut tries: HashMap<String, u32> = HashMap::new();
    groups
        .into_iter()
        .map(|paths| {
            let Some(top) = paths.first().map(|path| top(path).to_owned()) else { return paths };
            let is_file = paths.len() == 1 && paths[0] == top;
            let mut name = top.clone();
            while !taken.insert(name.clone()) {
                let count = tries.entry(top.clone()).or_insert(1);
                *count += 1;
                name = numbered(&top, *count, is_file);
            }
            if name == top {
                return paths;
            }
            paths.iter().map(|path| format!("{name}{}", &path[top.len()..])).collect()
        })
        .collect()
}

/// A sign for what a share is: the extension of a single file if it is a short one, else how many files.
pub fn tile(title: &str, file_count: u32) -> String {
    if file_count != 1 {
        return if file_count < 1_000 { format!("×{file_count}") } else { "×1k+".to_owned() };
    }
    match title.rsplit_once('.') {
        Some((stem, extension))
            if !stem.is_empty()
                && (1..=4).contains(&extension.len())
                && extension.bytes().all(|b| b.is_ascii_alphanumeric()) =>
        {
            extension.to_ascii_uppercase()
        }
        _ => "···".to_owned(),
    }
}

/// The first name of a path.
fn top(path: &str) -> &str {
    path.split('/').next().unwrap_or_default()
}

/// `name (2).ext`; a folder's name has no extension.
fn numbered(name: &str, count: u32, is_file: bool) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) if is_file && !stem.is_empty() => {
            format!("{stem} ({count}).{extension}")
        }
        _ => format!("{name} ({count})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(groups: &[&[&str]]) -> Vec<Vec<String>> {
        groups.iter().map(|group| group.iter().map(|&path| path.to_owned()).collect()).collect()
    }

    #[test]
    fn equal_names_are_told_apart_and_others_left_alone() {
        assert_eq!(
            tell_apart(owned(&[
                &["image.png"],
                &["image.png"],
                &["image.png"],
                &["other.png"],
                &[".env"],
                &[".env"],
            ])),
            owned(&[
                &["image.png"],
                &["image (2).png"],
                &["image (3).png"],
                &["other.png"],
                &[".env"],
                &[".env (2)"],
            ])
        );
    }

    #[test]
    fn a_second_folder_of_one_name_moves_as_a_whole() {
        assert_eq!(
            tell_apart(owned(&[&["v1.2/a", "v1.2/b/c"], &["v1.2/a"], &["v1.2"]])),
            owned(&[&["v1.2/a", "v1.2/b/c"], &["v1.2 (2)/a"], &["v1 (3).2"]])
        );
    }

    #[test]
    fn a_number_that_is_taken_already_is_passed_over() {
        assert_eq!(
            tell_apart(owned(&[&["a (2)"], &["a"], &["a"]])),
            owned(&[&["a (2)"], &["a"], &["a (3)"]])
        );
    }

    #[test]
    fn a_tile_is_short_whatever_the_name() {
        for (title, count, sign) in [
            ("photo.jpeg", 1, "JPEG"),
            (".env", 1, "···"),
            ("notes", 1, "···"),
            ("a.reallylong", 1, "···"),
            ("é.\u{1F41F}", 1, "···"),
            ("holiday", 12, "×12"),
            ("holiday", 20_000, "×1k+"),
        ] {
            assert_eq!(tile(title, count), sign);
        }
    }
}
