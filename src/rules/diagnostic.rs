//! What is wrong with a configuration, as plain data: a code, one line, places, a fix. It is drawn elsewhere
//! (`cli::diagnostics`), and nothing here decides what is wrong.

use super::place::{Excerpt, Extent, Place};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is taken, but surely not what was meant.
    Warning,
}

/// What is wrong, by kind. Codes are stable: `docs/errors.md` has an example and the fix for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    Unreadable,
    TooLarge,
    NotToml,
    UnknownKey,
    SettingType,
    SettingMissing,
    NothingDeclared,
    DuplicateName,
    BadName,
    TooMany,
    BadDuration,
    BadResolution,
    UnknownZone,
    BadCurrency,
    BadRate,
    BadAmountField,
    UnknownFrom,
    CutsOrder,
    CutType,
    ScoreCycle,
    Unexpected,
    BadText,
    BadNumber,
    TooDeep,
    NotInLanguage,
    UnknownName,
    UnknownFeature,
    UnknownDimension,
    UnknownSegment,
    UnknownScore,
    UnknownField,
    WrongType,
    OrderOfTexts,
    ProductOfFeatures,
    ProfileWithProfile,
    BadWindow,
    NoAmounts,
    ReadsLater,
    DaysResolution,
    WrongArguments,
    TooLargeNumbers,
    NotACondition,
    FieldWithField,
    BadSetting,
    ReservedSetting,
    BadSecret,
    BadMoment,
    BadLine,
    BadEvent,
    NothingExpected,
    AlwaysHolds,
    NeverHolds,
    Unreachable,
    TierOrder,
    FieldNotOfKind,
    UnusedScore,
    OddDate,
    InTheClear,
}

impl Code {
    /// Every code with its stable number, in the order of the numbers.
    pub const ALL: [(Code, &'static str); 58] = [
        (Code::Unreadable, "E0101"),
        (Code::TooLarge, "E0102"),
        (Code::NotToml, "E0103"),
        (Code::UnknownKey, "E0104"),
        (Code::SettingType, "E0105"),
        (Code::SettingMissing, "E0106"),
        (Code::NothingDeclared, "E0107"),
        (Code::DuplicateName, "E0108"),
        (Code::BadName, "E0109"),
        (Code::TooMany, "E0110"),
        (Code::BadDuration, "E0201"),
        (Code::BadResolution, "E0202"),
        (Code::UnknownZone, "E0203"),
        (Code::BadCurrency, "E0204"),
        (Code::BadRate, "E0205"),
        (Code::BadAmountField, "E0206"),
        (Code::UnknownFrom, "E0207"),
        (Code::CutsOrder, "E0208"),
        (Code::CutType, "E0209"),
        (Code::ScoreCycle, "E0210"),
        (Code::Unexpected, "E0301"),
        (Code::BadText, "E0302"),
        (Code::BadNumber, "E0303"),
        (Code::TooDeep, "E0304"),
        (Code::NotInLanguage, "E0305"),
        (Code::UnknownName, "E0401"),
        (Code::UnknownFeature, "E0402"),
        (Code::UnknownDimension, "E0403"),
        (Code::UnknownSegment, "E0404"),
        (Code::UnknownScore, "E0405"),
        (Code::UnknownField, "E0406"),
        (Code::WrongType, "E0501"),
        (Code::OrderOfTexts, "E0502"),
        (Code::ProductOfFeatures, "E0503"),
        (Code::ProfileWithProfile, "E0504"),
        (Code::BadWindow, "E0505"),
        (Code::NoAmounts, "E0506"),
        (Code::ReadsLater, "E0507"),
        (Code::DaysResolution, "E0508"),
        (Code::WrongArguments, "E0509"),
        (Code::TooLargeNumbers, "E0510"),
        (Code::NotACondition, "E0511"),
        (Code::FieldWithField, "E0512"),
        (Code::BadSetting, "E0601"),
        (Code::ReservedSetting, "E0602"),
        (Code::BadSecret, "E0603"),
        (Code::BadMoment, "E0701"),
        (Code::BadLine, "E0702"),
        (Code::BadEvent, "E0703"),
        (Code::NothingExpected, "E0704"),
        (Code::AlwaysHolds, "W0601"),
        (Code::NeverHolds, "W0602"),
        (Code::Unreachable, "W0603"),
        (Code::TierOrder, "W0604"),
        (Code::FieldNotOfKind, "W0605"),
        (Code::UnusedScore, "W0606"),
        (Code::OddDate, "W0607"),
        (Code::InTheClear, "W0701"),
    ];

    pub fn number(self) -> &'static str {
        Code::ALL[self as usize].1
    }

    pub fn severity(self) -> Severity {
        if self.number().starts_with('W') { Severity::Warning } else { Severity::Error }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    /// One terse line, no full stop.
    pub title: Box<str>,
    pub place: Place,
    /// What stands at the place; may be empty.
    pub label: String,
    pub related: Vec<(Place, String)>,
    /// One fix.
    pub help: Option<String>,
}

impl Diagnostic {
    pub fn new(code: Code, place: Place, title: impl Into<Box<str>>) -> Diagnostic {
        Diagnostic { code, title: title.into(), place, label: String::new(), related: Vec::new(), help: None }
    }

    pub fn label(mut self, label: impl Into<String>) -> Diagnostic {
        self.label = label.into();
        self
    }

    pub fn related(mut self, place: Place, label: impl Into<String>) -> Diagnostic {
        self.related.push((place, label.into()));
        self
    }

    pub fn help(mut self, help: impl Into<String>) -> Diagnostic {
        self.help = Some(help.into());
        self
    }

    pub fn is_error(&self) -> bool {
        self.code.severity() == Severity::Error
    }
}

/// One thing that is wrong with an expression, before it is known where the expression stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub code: Code,
    pub extent: Extent,
    pub title: Box<str>,
    pub label: Box<str>,
    /// Another place of the same expression.
    pub related: Option<(Extent, Box<str>)>,
    pub help: Option<Box<str>>,
}

impl Fault {
    pub fn new(code: Code, extent: Extent, title: impl Into<Box<str>>) -> Fault {
        Fault { code, extent, title: title.into(), label: "".into(), related: None, help: None }
    }

    pub fn related(mut self, extent: Extent, label: impl Into<Box<str>>) -> Fault {
        self.related = Some((extent, label.into()));
        self
    }

    pub fn label(mut self, label: impl Into<Box<str>>) -> Fault {
        self.label = label.into();
        self
    }

    pub fn help(mut self, help: impl Into<Box<str>>) -> Fault {
        self.help = Some(help.into());
        self
    }

    /// The fault of an expression that stands at `excerpt`.
    pub fn within(self, excerpt: &Excerpt) -> Diagnostic {
        let related = self.related.map(|(extent, label)| (excerpt.place(extent), label.into()));
        Diagnostic {
            code: self.code,
            title: self.title,
            place: excerpt.place(self.extent),
            label: self.label.into(),
            related: related.into_iter().collect(),
            help: self.help.map(Into::into),
        }
    }
}

/// The known name nearest to a wrong one, if any is near enough to be a slip; ties go to the first.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.chars().take(64).collect::<String>().to_lowercase();
    let allowed = 1 + wrong.chars().count() / 4;
    let distance = |name: &str| strsim::osa_distance(&wrong, &name.to_lowercase());
    known
        .into_iter()
        .map(|name| (distance(name), name))
        .filter(|(distance, name)| *distance <= allowed && *distance < name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_in_the_order_of_the_enum() {
        for (index, (code, number)) in Code::ALL.iter().enumerate() {
            assert_eq!(*code as usize, index);
            assert_eq!(code.number(), *number);
        }
        assert!(Code::ALL.windows(2).all(|pair| pair[0].1 < pair[1].1));
    }

    #[test]
    fn the_nearest_name_is_offered_only_for_slips() {
        let known = ["count", "since_last", "since_first"];
        assert_eq!(nearest("cuont", known), Some("count"));
        assert_eq!(nearest("sinceLast", known), Some("since_last"));
        assert_eq!(nearest("average", known), None);
        assert_eq!(nearest("x", ["a", "b"]), None);
    }
}
