//! Codes to be spoken aloud, such as `4-brave-otter-lamp`: a nameplate from the server, and three words
//! out of 2 048 that only the people who speak to each other know.
//!
//! The list is ours (`code/words.txt`): distinct, easily spoken, sorted, and unique in the first four
//! letters, so that people need not type more. A code can be guessed once and no more: three words are 33
//! bits, and what makes them enough is in [`crate::rendezvous`].

use std::fmt;
use std::str::FromStr;

use crate::signaling::Nameplate;

/// Words in a code.
pub const WORDS: usize = 3;

/// One word to a line.
const LIST: &str = include_str!("code/words.txt");
/// How many there are; 11 bits each.
const LIST_LENGTH: u16 = 2048;
/// Text longer than this is no code, in bytes: thrice what the longest takes.
const MAX_TEXT_BYTES: usize = 128;
/// A word that could be several is told with at most so many of them.
const MAX_CHOICES: usize = 4;

/// A code, as it is shown and spoken. Whoever knows it can get the invite: `Debug` does not show the words.
#[derive(Clone, PartialEq, Eq)]
pub struct Code {
    /// What the server knows it by.
    pub nameplate: Nameplate,
    /// What the server does not know.
    pub words: Words,
}

/// The secret part of a code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Words([Word; WORDS]);

/// A word of the list, by its place.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Word(u16);

/// Text that is no code. Each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// Nothing like a code.
    #[error("a code is a number and three words, such as 4-brave-otter-lamp")]
    NotACode,
    /// The number is missing, or none that a server gives out.
    #[error("a code begins with its number, such as 4-brave-otter-lamp")]
    Number,
    /// Fewer words than three, or more.
    #[error(
        "a code has three words after its number, and this has {0}; type all of it, such as 4-brave-otter-lamp"
    )]
    Count(usize),
    /// No word of the list begins like this one.
    #[error("no code has a word that begins with {0:?}; check how it is spelled")]
    Unknown(String),
    /// Several words of the list begin like this one.
    #[error("{typed:?} could be {}; type more of it", choices.join(" or "))]
    Ambiguous {
        /// What was typed.
        typed: String,
        /// Some of those that it could be.
        choices: Vec<&'static str>,
    },
}

impl Words {
    /// Three words from six secret random bytes: 11 bits of each two.
    pub fn new(random: [u8; 2 * WORDS]) -> Self {
        Self(std::array::from_fn(|i| {
            // 2 048 divides 65 536, so each word is as likely as any other.
            Word(u16::from_le_bytes([random[2 * i], random[2 * i + 1]]) % LIST_LENGTH)
        }))
    }
}

impl Code {
    /// Whether a text is meant to be a code, be it that there are mistakes in it; else it may be a link.
    pub fn is_meant(text: &str) -> bool {
        let text = text.trim();
        let begins_with_number = text.starts_with(|c: char| c.is_ascii_digit());
        let fits = |c: char| c.is_alphanumeric() || is_separator(c);
        begins_with_number
            && text.len() <= MAX_TEXT_BYTES
            && text.chars().all(fits)
            && text.chars().any(|c| c.is_alphabetic() || is_separator(c))
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// Reads a code however it was typed: in any case, with any separators, each word cut off where no
    /// other begins alike.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(CodeError::NotACode);
        }
        let text = text.trim_start_matches(is_separator);
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = text.split_at(digits);
        let typed: Vec<_> = rest.split(is_separator).filter(|word| !word.is_empty()).collect();
        if digits == 0 {
            return Err(if typed.len() == WORDS { CodeError::Number } else { CodeError::NotACode });
        }
        let nameplate = number.parse().ok().and_then(Nameplate::new).ok_or(CodeError::Number)?;
        let words: Vec<Word> = typed.iter().map(|typed| find(typed)).collect::<Result<_, _>>()?;
        let words = words.try_into().map_err(|_| CodeError::Count(typed.len()))?;
        Ok(Self { nameplate, words: Words(words) })
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, word) in self.0.iter().enumerate() {
            let dash = if i == 0 { "" } else { "-" };
            write!(f, "{dash}{}", word.text())?;
        }
        Ok(())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.nameplate, self.words)
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Words(…)")
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({}-…)", self.nameplate)
    }
}

impl Word {
    fn text(self) -> &'static str {
        LIST.lines().nth(self.0.into()).expect("a word is a place in the list")
    }
}

/// How many completions are shown to people.
pub const MAX_COMPLETIONS: usize = 8;

/// What a code that is being typed can go on with: the whole text so far with its last word completed, at
/// most `limit` of them. Nothing while there is no letter of a word yet, and after the third.
pub fn complete(text: &str, limit: usize) -> Vec<String> {
    let is_letter = |c: char| c.is_alphabetic();
    let head = text.trim_end_matches(is_letter);
    let typed = text[head.len()..].to_lowercase();
    let before = head.split(is_separator).filter(|part| part.contains(is_letter)).count();
    if !Code::is_meant(text) || typed.is_empty() || before >= WORDS {
        return Vec::new();
    }
    beginning_with(&typed).take(limit).map(|(_, word)| format!("{head}{word}")).collect()
}

/// Numbers below 2 048 as words of the list, with spaces between: as they are read to somebody.
///
/// # Panics
/// If a number is larger.
pub fn spoken(numbers: &[u16]) -> String {
    numbers.iter().map(|&number| Word(number).text()).collect::<Vec<_>>().join(" ")
}

fn find(typed: &str) -> Result<Word, CodeError> {
    if !typed.chars().all(char::is_alphabetic) {
        return Err(CodeError::NotACode);
    }
    let typed = typed.to_lowercase();
    let found: Vec<_> = beginning_with(&typed).take(MAX_CHOICES).collect();
    match found[..] {
        [] => Err(CodeError::Unknown(typed)),
        [(word, _)] => Ok(word),
        _ => {
            let choices = found.into_iter().map(|(_, word)| word).collect();
            Err(CodeError::Ambiguous { typed, choices })
        }
    }
}

/// No word is the beginning of another, so a whole word finds itself only.
fn beginning_with(typed: &str) -> impl Iterator<Item = (Word, &'static str)> {
    let places = LIST.lines().zip(0..LIST_LENGTH);
    places.filter(move |(word, _)| word.starts_with(typed)).map(|(word, i)| (Word(i), word))
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || c.is_ascii_punctuation() || matches!(c, '‐'..='―' | '·' | '−')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn code() -> Code {
        "4-brave-otter-lamp".parse().unwrap()
    }

    #[test]
    fn the_list_has_2048_words_that_differ_in_their_first_four_letters() {
        let words: Vec<_> = LIST.lines().collect();
        assert_eq!(words.len(), usize::from(LIST_LENGTH));
        assert!(words.is_sorted());
        let beginnings: BTreeSet<_> = words.iter().map(|word| &word[..word.len().min(4)]).collect();
        assert_eq!(beginnings.len(), words.len());
        for word in &words {
            assert!((3..=9).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_lowercase()));
            let alike = words.iter().filter(|other| other.starts_with(word));
            assert_eq!(alike.count(), 1, "{word} begins another word");
        }
    }

    #[test]
    fn a_code_is_read_however_it_was_typed() {
        for text in [
            "4-brave-otter-lamp",
            "4 brave otter lamp",
            "  4.Brave.OTTER.lamp\n",
            "4 - brave – otter — lamp.",
            "4brave otter lamp",
            "4 brav otte lamp",
            "#4, brave, otter, lamp!",
            "04-brave-otter-lamp",
        ] {
            assert_eq!(text.parse(), Ok(code()), "{text}");
        }
        assert_eq!(code().to_string(), "4-brave-otter-lamp");
        assert!(!format!("{:?}", code()).contains("otter"));
    }

    #[test]
    fn what_is_wrong_with_a_code_is_told() {
        let error = |text: &str| text.parse::<Code>().unwrap_err();
        assert_eq!(error("hello"), CodeError::NotACode);
        assert_eq!(error(""), CodeError::NotACode);
        assert_eq!(error(&"4 ".repeat(100)), CodeError::NotACode);
        assert_eq!(error("brave otter lamp"), CodeError::Number);
        assert_eq!(error("0-brave-otter-lamp"), CodeError::Number);
        assert_eq!(error("99999999999-brave-otter-lamp"), CodeError::Number);
        assert_eq!(error("4"), CodeError::Count(0));
        assert_eq!(error("4-brave-otter"), CodeError::Count(2));
        assert_eq!(error("4-brave-otter-lamp-lamp"), CodeError::Count(4));
        assert_eq!(error("4-brave-otter-lampp"), CodeError::Unknown("lampp".into()));
        assert_eq!(error("4-brave-7tter-lamp"), CodeError::NotACode);
        let CodeError::Ambiguous { typed, choices } = error("4-brave-ot-lamp") else { panic!() };
        assert_eq!((typed.as_str(), choices), ("ot", vec!["other", "otter"]));
    }

    #[test]
    fn what_is_meant_to_be_a_code_is_told_from_links() {
        for text in ["4-brave-otter-lamp", "12 bra", "4-", " 4.brave", "4brave"] {
            assert!(Code::is_meant(text), "{text}");
        }
        for text in ["", "4", "brave otter lamp", "https://example.org/#abc", "7€", "4\u{1b}x"] {
            assert!(!Code::is_meant(text), "{text}");
        }
    }

    #[test]
    fn the_word_being_typed_is_completed_as_it_stands() {
        assert_eq!(complete("4-brave-ot", 9), ["4-brave-other", "4-brave-otter"]);
        assert_eq!(complete("4 Brave OTT", 9), ["4 Brave otter"]);
        assert!(complete("4-bra", 9).contains(&"4-brave".to_owned()));
        assert_eq!(complete("4-b", 3).len(), 3);
        for text in ["", "4", "4-", "4-brave-", "4-xyzzy", "4-a-b-c-d", "hello"] {
            assert_eq!(complete(text, 9), [""; 0], "{text}");
        }
    }

    #[test]
    fn every_word_is_as_likely_as_any_other() {
        let mut seen = vec![0; LIST_LENGTH.into()];
        for random in 0..=u16::MAX {
            let [low, high] = random.to_le_bytes();
            let Words([first, second, third]) = Words::new([low, high, 0, 0, 255, 255]);
            seen[usize::from(first.0)] += 1;
            assert_eq!((second.0, third.0), (0, 2047));
        }
        assert!(seen.iter().all(|&times| times == 32));
    }

    proptest! {
        #[test]
        fn a_code_survives_being_shown_and_typed_carelessly(
            number in 1u32..=999_999,
            random: [u8; 6],
            separators in prop::collection::vec("[ \\-._,/–]{1,3}", 4),
            upper: [bool; 3],
            cut: [bool; 3],
        ) {
            let nameplate = Nameplate::new(number).unwrap();
            let code = Code { nameplate, words: Words::new(random) };
            prop_assert_eq!(code.to_string().parse(), Ok(code.clone()));
            let mut typed = number.to_string();
            for (i, word) in code.words.0.iter().enumerate() {
                let text = word.text();
                let text = if cut[i] { &text[..text.len().min(4)] } else { text };
                typed += &separators[i];
                typed += &if upper[i] { text.to_uppercase() } else { text.to_owned() };
            }
            typed += &separators[3];
            prop_assert!(Code::is_meant(&typed));
            prop_assert_eq!(typed.parse(), Ok(code));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}|[0-9a-zA-Z \\-]{0,40}") {
            let _ = text.parse::<Code>();
            let _ = Code::is_meant(&text);
            for whole in complete(&text, 3) {
                prop_assert!(whole.len() > text.len() || whole.to_lowercase() == text.to_lowercase());
            }
        }
    }
}
