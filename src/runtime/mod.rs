//! The one loop that acts.
