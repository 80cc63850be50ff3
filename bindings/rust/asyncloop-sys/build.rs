//! Finds the library: in ASYNCLOOP_LIB_DIR if that is set, else as pkg-config says.

use std::env;
use std::process::Command;

fn main() {
    for name in ["ASYNCLOOP_LIB_DIR", "PKG_CONFIG", "PKG_CONFIG_PATH", "DOCS_RS"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    if env::var_os("DOCS_RS").is_some() {
        return; // documentation links nothing
    }
    if let Ok(directory) = env::var("ASYNCLOOP_LIB_DIR") {
        println!("cargo:rustc-link-search=native={directory}");
        println!("cargo:rustc-link-lib=asyncloop");
        return;
    }
    let command = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    let answer = Command::new(&command)
        .args(["--libs", "asyncloop >= 0.1.0"])
        .output()
        .unwrap_or_else(|error| panic!("cannot run {command}: {error}"));
    if !answer.status.success() {
        let why = String::from_utf8_lossy(&answer.stderr);
        panic!("libasyncloop is not installed (or set ASYNCLOOP_LIB_DIR): {why}");
    }
    for word in String::from_utf8_lossy(&answer.stdout).split_whitespace() {
        if let Some(directory) = word.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={directory}");
        } else if let Some(library) = word.strip_prefix("-l") {
            println!("cargo:rustc-link-lib={library}");
        }
    }
}
