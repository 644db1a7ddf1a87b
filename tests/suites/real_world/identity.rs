//! Two databases under one instance name.
