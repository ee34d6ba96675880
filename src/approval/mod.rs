//! Who may approve what: requests, answers, expiry.
