//! TLS for streams and servers. Python's `ssl.SSLContext`.

use crate::error::{self, Result};
use crate::ffi::{self, Object};
use asyncloop_sys as sys;
use std::ffi::CString;
use std::os::raw::c_char;
use std::path::Path;
use std::ptr::null;

/// Versions of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.0
    Tls10,
    /// TLS 1.1
    Tls11,
    /// TLS 1.2
    Tls12,
    /// TLS 1.3
    Tls13,
}

impl TlsVersion {
    fn raw(self) -> i32 {
        match self {
            TlsVersion::Tls10 => sys::ALOOP_TLS_1_0,
            TlsVersion::Tls11 => sys::ALOOP_TLS_1_1,
            TlsVersion::Tls12 => sys::ALOOP_TLS_1_2,
            TlsVersion::Tls13 => sys::ALOOP_TLS_1_3,
        }
    }
}

/// Whether the peer must have a certificate that verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// Nothing is checked.
    None,
    /// A server asks; no certificate is fine, a bad one is not.
    Optional,
    /// It must.
    Required,
}

/// How TLS is spoken: certificates, versions, names. Set it up, then use it for any number of
/// connections. Clones are the same context.
#[derive(Clone)]
pub struct TlsContext(Object<sys::aloop_tls_context>);

impl TlsContext {
    /// For clients: verifies the server's certificate against the system's authorities, and
    /// its name.
    pub fn client() -> Result<TlsContext> {
        // SAFETY: `raw` is a place for the reference.
        Object::made(|raw| unsafe { sys::aloop_tls_context_new_client(raw) }).map(TlsContext)
    }

    /// For servers.
    pub fn server() -> Result<TlsContext> {
        // SAFETY: `raw` is a place for the reference.
        Object::made(|raw| unsafe { sys::aloop_tls_context_new_server(raw) }).map(TlsContext)
    }

    pub(crate) fn raw(&self) -> *mut sys::aloop_tls_context {
        self.0.raw()
    }

    fn done(&self, status: i64) -> Result<()> {
        if status >= 0 {
            return Ok(());
        }
        // SAFETY: the handle is a reference of ours.
        Err(unsafe { error::from_c(status, sys::aloop_tls_context_error(self.raw())) })
    }

    /// The authorities that certificates must come from: a PEM file, a directory, or both.
    pub fn load_verify(&self, file: Option<&Path>, directory: Option<&Path>) -> Result<()> {
        let (file, directory) = (file.map(path).transpose()?, directory.map(path).transpose()?);
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe {
            sys::aloop_tls_context_load_verify(self.raw(), or_null(&file), or_null(&directory))
        })
    }

    /// The same from PEM text.
    pub fn load_verify_memory(&self, pem: &str) -> Result<()> {
        let pem = ffi::text(pem)?;
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe { sys::aloop_tls_context_load_verify_memory(self.raw(), pem.as_ptr()) })
    }

    /// The own certificate and key: PEM files; `key` `None`: both are in the first.
    pub fn load_cert_chain(
        &self,
        certificate: &Path,
        key: Option<&Path>,
        password: Option<&str>,
    ) -> Result<()> {
        let (certificate, key) = (path(certificate)?, key.map(path).transpose()?);
        let password = password.map(ffi::text).transpose()?;
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe {
            let raw = self.raw();
            let (key, password) = (or_null(&key), or_null(&password));
            sys::aloop_tls_context_load_cert_chain(raw, certificate.as_ptr(), key, password)
        })
    }

    /// The same from PEM text.
    pub fn load_cert_chain_memory(
        &self,
        certificate: &str,
        key: &str,
        password: Option<&str>,
    ) -> Result<()> {
        let (certificate, key) = (ffi::text(certificate)?, ffi::text(key)?);
        let password = password.map(ffi::text).transpose()?;
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe {
            let (certificate, key) = (certificate.as_ptr(), key.as_ptr());
            let password = or_null(&password);
            sys::aloop_tls_context_load_cert_chain_memory(self.raw(), certificate, key, password)
        })
    }

    /// Whether the peer must have a certificate that verifies.
    pub fn set_verify(&self, verify: Verify) -> Result<()> {
        let mode = match verify {
            Verify::None => sys::ALOOP_TLS_VERIFY_NONE,
            Verify::Optional => sys::ALOOP_TLS_VERIFY_OPTIONAL,
            Verify::Required => sys::ALOOP_TLS_VERIFY_REQUIRED,
        };
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe { sys::aloop_tls_context_set_verify_mode(self.raw(), mode) })
    }

    /// Of clients: whether it must be for the server's name; default true.
    pub fn set_check_hostname(&self, check: bool) -> Result<()> {
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe { sys::aloop_tls_context_set_check_hostname(self.raw(), check.into()) })
    }

    /// The protocols spoken over TLS, the preferred first.
    pub fn set_alpn(&self, protocols: &[&str]) -> Result<()> {
        let list = ffi::text(protocols.join(","))?;
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe { sys::aloop_tls_context_set_alpn(self.raw(), list.as_ptr()) })
    }

    /// The oldest version.
    pub fn set_min_version(&self, version: TlsVersion) -> Result<()> {
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe { sys::aloop_tls_context_set_min_version(self.raw(), version.raw()) })
    }

    /// The newest version.
    pub fn set_max_version(&self, version: TlsVersion) -> Result<()> {
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe { sys::aloop_tls_context_set_max_version(self.raw(), version.raw()) })
    }

    /// A cipher list in OpenSSL's words, for TLS 1.2 and older.
    pub fn set_ciphers(&self, ciphers: &str) -> Result<()> {
        let ciphers = ffi::text(ciphers)?;
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe { sys::aloop_tls_context_set_ciphers(self.raw(), ciphers.as_ptr()) })
    }

    /// Names of TLS 1.3 suites, separated by colons.
    pub fn set_ciphersuites(&self, suites: &str) -> Result<()> {
        let suites = ffi::text(suites)?;
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe { sys::aloop_tls_context_set_ciphersuites(self.raw(), suites.as_ptr()) })
    }

    /// Of servers: clients that ask for this name get the certificate of `other`.
    pub fn add_name(&self, name: &str, other: &TlsContext) -> Result<()> {
        let name = ffi::text(name)?;
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe {
            sys::aloop_tls_context_add_name(self.raw(), name.as_ptr(), other.raw())
        })
    }

    /// Of clients: remembers the sessions of so many servers and resumes them.
    pub fn set_session_cache(&self, servers: u16) -> Result<()> {
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe { sys::aloop_tls_context_set_session_cache(self.raw(), servers.into()) })
    }

    /// Appends the secrets of each connection to a file, for Wireshark.
    pub fn set_keylog_file(&self, file: Option<&Path>) -> Result<()> {
        let file = file.map(path).transpose()?;
        // SAFETY: the handles are ours, and C copies the texts.
        self.done(unsafe { sys::aloop_tls_context_set_keylog_file(self.raw(), or_null(&file)) })
    }
}

pub(crate) fn path(path: &Path) -> Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    ffi::text(path.as_os_str().as_bytes())
}

pub(crate) fn or_null(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(null(), |text| text.as_ptr())
}
