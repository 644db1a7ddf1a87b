//! Filestores that are missing, elsewhere, or not where they should be.
