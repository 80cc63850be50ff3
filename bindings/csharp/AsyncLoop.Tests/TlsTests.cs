// SPDX-License-Identifier: MIT
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Xunit;

namespace AsyncLoop.Tests;

public class TlsTests
{
    private static readonly (string Certificate, string Key) s_own = Make();

    private static (string, string) Make()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using X509Certificate2 own = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1),
            DateTimeOffset.UtcNow.AddDays(1));
        return (own.ExportCertificatePem(), key.ExportPkcs8PrivateKeyPem());
    }

    private static TlsContext Server()
    {
        TlsContext context = TlsContext.Server();
        context.LoadCertificatePem(s_own.Certificate, s_own.Key);
        context.SetAlpn("echo");
        return context;
    }

    private static TlsContext Client()
    {
        TlsContext context = TlsContext.Client();
        context.LoadVerifyPem(s_own.Certificate);
        context.SetAlpn("echo");
        context.SetVersions(SslProtocols.Tls12);
        return context;
    }

    private static async Task Echo(LoopStream client)
    {
        while (await client.ReadLineAsync() is string line)
        {
            await client.WriteTextAsync(line + "!\n");
        }
    }

    [Fact]
    public void ConnectionsAreEncryptedAndChecked() => Support.Run(async () =>
    {
        using TlsContext ours = Server(), theirs = Client(), stranger = TlsContext.Client();
        await using LoopServer server =
            await LoopServer.StartAsync("127.0.0.1", 0, new() { Tls = ours });
        _ = Loop.Spawn(() => server.ServeAsync(Echo));
        Loop.Current.ExceptionHandler = _ => { };
        await using (LoopStream stream = await LoopStream.ConnectAsync("127.0.0.1", server.Port,
            new() { Tls = theirs, ServerHostName = "localhost" }))
        {
            await stream.WriteTextAsync("secret\n");
            Assert.Equal("secret!", await stream.ReadLineAsync());
            Assert.StartsWith("TLSv1.", stream.GetExtraInfo("tls_version"));
            Assert.Equal("echo", stream.GetExtraInfo("alpn_protocol"));
            using var peer = new X509Certificate2(stream.PeerCertificate!);
            Assert.Equal("CN=localhost", peer.Subject);
        }
        foreach (var (context, name) in new[] { (stranger, "localhost"), (theirs, "example.org") })
        {
            Assert.Equal(Status.TlsCertificate, (await Assert.ThrowsAsync<AloopException>(
                () => LoopStream.ConnectAsync("127.0.0.1", server.Port,
                    new() { Tls = context, ServerHostName = name }))).Status);
        }
    }, new LoopOptions());

    [Fact]
    public void ASessionIsResumed() => Support.Run(async () =>
    {
        using TlsContext ours = Server(), theirs = Client();
        await using LoopServer server =
            await LoopServer.StartAsync("127.0.0.1", 0, new() { Tls = ours });
        _ = Loop.Spawn(() => server.ServeAsync(Echo));
        byte[]? session = null;
        foreach (string reused in new[] { "0", "1" })
        {
            await using LoopStream stream = await LoopStream.ConnectAsync("127.0.0.1", server.Port,
                new() { Tls = theirs, ServerHostName = "localhost", TlsSession = session });
            await stream.WriteTextAsync("hello\n");
            Assert.Equal("hello!", await stream.ReadLineAsync());
            Assert.Equal(reused, stream.GetExtraInfo("session_reused"));
            session = stream.TlsSession;
            Assert.NotEmpty(session!);
        }
        var (plain, other) = LoopStream.Pair();
        Assert.Null(plain.TlsSession);
        plain.Dispose();
        other.Dispose();
    }, new LoopOptions());

    [Fact]
    public void AConnectionIsUpgraded() => Support.Run(async () =>
    {
        using TlsContext ours = Server(), theirs = Client();
        var (a, b) = LoopStream.Pair();
        await Task.WhenAll(a.StartTlsAsync(ours),
            b.StartTlsAsync(theirs, new() { ServerHostName = "localhost" }));
        a.WriteNoWait("after\n");
        Assert.Equal("after", await b.ReadLineAsync());
        await Task.WhenAll(a.DisposeAsync().AsTask(), b.DisposeAsync().AsTask());
    }, new LoopOptions());

    [Fact]
    public void WhatIsWrongWithAFileIsTold()
    {
        using TlsContext context = TlsContext.Server();
        Assert.Equal(Status.NoEntry, Assert.Throws<AloopException>(
            () => context.LoadCertificate("/no/such/file.pem")).Status);
        Assert.Equal(Status.Tls, Assert.Throws<AloopException>(
            () => context.LoadCertificatePem("nonsense", "nonsense")).Status);
    }
}
