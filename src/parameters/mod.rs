//! Override files of every dialect, and the effective values with their provenance.
