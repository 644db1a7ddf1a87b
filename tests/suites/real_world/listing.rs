//! Listings that lack something.
