// TLS: what connections and servers are encrypted by.
// SPDX-License-Identifier: MIT
using System.Security.Authentication;

namespace AsyncLoop;

/// <summary>Whether the peer must have a certificate that verifies.</summary>
public enum TlsVerifyMode
{
    /// <summary>Nothing is checked, the host name neither.</summary>
    None = Native.ALOOP_TLS_VERIFY_NONE,
    /// <summary>A server asks; no certificate is fine, a bad one not.</summary>
    Optional = Native.ALOOP_TLS_VERIFY_OPTIONAL,
    /// <summary>It must.</summary>
    Required = Native.ALOOP_TLS_VERIFY_REQUIRED,
}

/// <summary>
/// Certificates and settings, for any number of connections and loops. It is set up before it is
/// used. ssl.SSLContext.
/// </summary>
public sealed class TlsContext : LoopObject
{
    private TlsContext(IntPtr owned) : base(owned) { }

    /// <summary>Of a client, that verifies the server's certificate and its name.</summary>
    public static unsafe TlsContext Client()
    {
        IntPtr it;
        Errors.Check(Native.aloop_tls_context_new_client(&it));
        return new TlsContext(it);
    }

    /// <summary>Of a server, that asks for no certificate.</summary>
    public static unsafe TlsContext Server()
    {
        IntPtr it;
        Errors.Check(Native.aloop_tls_context_new_server(&it));
        return new TlsContext(it);
    }

    // With the detail of the last call.
    private void Set(long status)
    {
        if (status >= 0) return;
        Exception failure = Errors.ToException(status, Native.aloop_tls_context_error(Raw));
        GC.KeepAlive(this);
        throw failure;
    }

    /// <summary>
    /// The authorities, in a file or a directory of PEM, instead of the system's;
    /// null, null: those.
    /// </summary>
    public void LoadVerify(string? file, string? directory = null) =>
        Set(Native.aloop_tls_context_load_verify(Raw, file, directory));

    /// <summary>The same from PEM text.</summary>
    public void LoadVerifyPem(string pem) =>
        Set(Native.aloop_tls_context_load_verify_memory(Raw, pem));

    /// <summary>The own certificate with its chain, and its key, from PEM files.</summary>
    public void LoadCertificate(string certificateFile, string? keyFile = null,
        string? password = null) => Set(
            Native.aloop_tls_context_load_cert_chain(Raw, certificateFile, keyFile, password));

    /// <summary>The same from PEM texts.</summary>
    public void LoadCertificatePem(string certificate, string key, string? password = null) => Set(
        Native.aloop_tls_context_load_cert_chain_memory(Raw, certificate, key, password));

    /// <summary>What is asked of the peer.</summary>
    public void SetVerifyMode(TlsVerifyMode mode) =>
        Set(Native.aloop_tls_context_set_verify_mode(Raw, (int)mode));

    /// <summary>Of clients: whether the certificate must be for the server's name.</summary>
    public void SetCheckHostName(bool check) =>
        Set(Native.aloop_tls_context_set_check_hostname(Raw, check ? 1 : 0));

    /// <summary>The protocols spoken over TLS, the preferred first.</summary>
    public void SetAlpn(params string[] protocols) =>
        Set(Native.aloop_tls_context_set_alpn(Raw, string.Join(',', protocols)));

    /// <summary>The oldest and the newest version that is spoken; None: whatever can be.</summary>
    public void SetVersions(SslProtocols oldest, SslProtocols newest = SslProtocols.None)
    {
        Set(Native.aloop_tls_context_set_min_version(Raw, VersionInC(oldest)));
        Set(Native.aloop_tls_context_set_max_version(Raw, VersionInC(newest)));
    }

    private static int VersionInC(SslProtocols version) => version switch
    {
        SslProtocols.None => 0,
        SslProtocols.Tls12 => Native.ALOOP_TLS_1_2,
        SslProtocols.Tls13 => Native.ALOOP_TLS_1_3,
        _ => throw new ArgumentOutOfRangeException(nameof(version)),
    };

    /// <summary>In OpenSSL's words: a cipher list for TLS 1.2, and suites of TLS 1.3.</summary>
    public void SetCiphers(string? list, string? suites = null)
    {
        if (list != null) Set(Native.aloop_tls_context_set_ciphers(Raw, list));
        if (suites != null) Set(Native.aloop_tls_context_set_ciphersuites(Raw, suites));
    }

    /// <summary>Of servers: who asks for this name gets the certificate of other.</summary>
    public void AddName(string name, TlsContext other) =>
        Set(Native.aloop_tls_context_add_name(Raw, name, other.Raw));

    /// <summary>Of clients: remembers and resumes the sessions of so many servers.</summary>
    public void SetSessionCache(int servers) =>
        Set(Native.aloop_tls_context_set_session_cache(Raw, servers));

    /// <summary>
    /// Where the secrets of connections are written, for Wireshark; null: nowhere.
    /// </summary>
    public void SetKeyLogFile(string? path) =>
        Set(Native.aloop_tls_context_set_keylog_file(Raw, path));
}
