//! Which files `shoal receive --only` means.

use native_peer::{Manifest, Selection};

/// What was asked for; everything if nothing was named.
pub(crate) struct Only(Vec<String>);

impl Only {
    pub(crate) fn new(patterns: Vec<String>) -> Self {
        let trimmed = patterns.iter().map(|pattern| pattern.trim_end_matches('/').to_owned());
        Self(trimmed.collect())
    }

    /// The files of a share that are wanted; `None` if there are none.
    pub(crate) fn selection(&self, manifest: &Manifest) -> Option<Selection> {
        if self.0.is_empty() {
            return Some(Selection::all());
        }
        let named = manifest.files().filter(|(_, entry)| self.names(entry.path.as_str()));
        let files: Vec<_> = named.map(|(file, _)| file).collect();
        (!files.is_empty()).then(|| Selection::only(files))
    }

    fn names(&self, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(slash, _)| &path[..slash]);
        let name = path.rsplit('/').next().unwrap_or(path);
        let wholes: Vec<&str> = folders.chain([path, name]).collect();
        self.0.iter().any(|pattern| wholes.iter().any(|whole| fits(pattern, whole)))
    }
}

/// Whether a text is what a pattern stands for. `*` and `?` do not stand for `/`.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    // Where to go on if what was tried does not fit: the last star takes one character more.
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(&c) if c == text[t] || c == '?' && text[t] != '/' => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) if text[from] != '/' => {
                    retry = Some((star, from + 1));
                    (p, t) = (star + 1, from + 1);
                }
                _ => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(patterns: &[&str], path: &str) -> bool {
        Only::new(patterns.iter().map(|&pattern| pattern.to_owned()).collect()).names(path)
    }

    #[test]
    fn files_folders_and_patterns_name_what_one_expects() {
        let path = "album/summer/sea.jpg";
        for pattern in [
            "album/summer/sea.jpg",
            "album",
            "album/summer/",
            "sea.jpg",
            "*.jpg",
            "album/*",
            "album/*/s?a.*",
            "*/summer",
            "album/s*r/*.jpg",
            "*",
        ] {
            assert!(names(&[pattern], path), "{pattern}");
        }
        for pattern in ["sea", "summer", "album/*.jpg", "album/?/sea.jpg", "ALBUM", "*.png", ""] {
            assert!(!names(&[pattern], path), "{pattern}");
        }
        assert!(names(&["x", "sea.jpg"], path));
    }
}
