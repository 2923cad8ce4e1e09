//! Rebuilds the crate when a migration is added or changed.

fn main() {
    // The migrations are compiled in; a new file alone would not be noticed.
    println!("cargo::rerun-if-changed=migrations");
}
