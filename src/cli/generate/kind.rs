//! The kinds of events that the made-up shop has, and how often each is among what customers do.

/// A kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Kind {
    Purchase,
    Browse,
    Search,
    Refund,
    Feedback,
    Profile,
    CartAdd,
    Referral,
    Share,
    Review,
}

impl Kind {
    /// Those that every configuration knows.
    pub const ALL: [Kind; 6] =
        [Kind::Purchase, Kind::Browse, Kind::Search, Kind::Refund, Kind::Feedback, Kind::Profile];

    /// Those that the rules have to name, as `config/segments.toml` does; otherwise they are rejected.
    pub const CONFIGURED: [Kind; 4] = [Kind::CartAdd, Kind::Referral, Kind::Share, Kind::Review];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Purchase => "purchase",
            Kind::Browse => "browse",
            Kind::Search => "search",
            Kind::Refund => "refund",
            Kind::Feedback => "feedback",
            Kind::Profile => "profile",
            Kind::CartAdd => "cart_add",
            Kind::Referral => "referral",
            Kind::Share => "share",
            Kind::Review => "review",
        }
    }

    /// How often it is among the steps, for those who mostly look and for those who mostly buy. (Orders bring carts and
    /// refunds of their own, see [`super::model`].)
    pub fn weight(self, is_buyer: bool) -> u64 {
        match (self, is_buyer) {
            (Kind::Purchase, false) => 8,
            (Kind::Purchase, true) => 34,
            (Kind::Browse, false) => 64,
            (Kind::Browse, true) => 42,
            (Kind::Search, false) => 22,
            (Kind::Search, true) => 14,
            (Kind::CartAdd, _) => 4,
            (Kind::Refund | Kind::Feedback | Kind::Profile, _) => 2,
            (Kind::Referral | Kind::Share | Kind::Review, _) => 1,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
