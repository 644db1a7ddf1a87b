//! Peers that answer slowly, without end, or too often.
