//! What changes: in text, resources and properties; and how risky it is.
