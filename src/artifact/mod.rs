//! Content-addressed artifacts.
