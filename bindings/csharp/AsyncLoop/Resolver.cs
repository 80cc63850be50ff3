// Names and addresses, looked up in threads of the loop's own.
// SPDX-License-Identifier: MIT
using System.Net;
using System.Net.Sockets;

namespace AsyncLoop;

/// <summary>Looks names up without blocking the loop.</summary>
public static class LoopDns
{
    /// <summary>The addresses of a host and a service. loop.getaddrinfo.</summary>
    public static Task<IPEndPoint[]> GetEndPointsAsync(string? host, string? service,
        AddressFamily family = AddressFamily.Unspecified, CancellationToken token = default)
    {
        return Operations.Start(Loop.Current, () =>
        {
            using var options =
                new AloopHandle(Errors.CheckPointer(Native.aloop_addrinfo_options_new()));
            Errors.Check(Native.aloop_addrinfo_options_set_family(options.Raw,
                Sockets.FamilyInC(family)));
            Errors.Check(Native.aloop_addrinfo_options_set_type(options.Raw, 1));  // SOCK_STREAM
            return Native.aloop_getaddrinfo(host, service, options.Raw);
        }, static (in Completion c) =>
        {
            var all = new IPEndPoint[Native.aloop_addresses_count(c.Value)];
            for (int i = 0; i < all.Length; i++) all[i] =
                EndPointOf(Native.aloop_addresses_at(c.Value, i));
            Native.aloop_unref(c.Value);
            return all;
        }, token);
    }

    /// <summary>The name of an address, and of its port's service. loop.getnameinfo.</summary>
    public static Task<(string Host, string Service)> GetNameAsync(IPEndPoint address,
        CancellationToken token = default)
    {
        return Operations.Start(Loop.Current, () =>
            {
                using AloopHandle native = ToNative(address);
                return Native.aloop_getnameinfo(native.Raw, 0);
            }, static (in Completion c) =>
            {
                var name = (Native.aloop_host_name_host(c.Value)!,
                    Native.aloop_host_name_service(c.Value)!);
                Native.aloop_unref(c.Value);
                return name;
            }, token);
    }

    // The same of any family; null for an unnamed socket.
    internal static unsafe EndPoint? AnyEndPointOf(IntPtr address) =>
        Native.aloop_address_family(address) switch
    {
        2 or 10 => EndPointOf(address),
        1 => UnixEndPoint(
            Text.Of((buffer, size) => Native.aloop_address_host(address, buffer, size))),
        _ => null,
    };

    // "@name", an abstract one, begins with a NUL in .NET.
    private static UnixDomainSocketEndPoint UnixEndPoint(string path) =>
        new(path.StartsWith('@') ? '\0' + path[1..] : path);

    // Of an aloop_address, borrowed.
    internal static unsafe IPEndPoint EndPointOf(IntPtr address) => new(
        IPAddress.Parse(Text.Of((buffer, size) =>
            Native.aloop_address_host(address, buffer, size))),
        (int)Errors.Check(Native.aloop_address_port(address)));

    internal static unsafe AloopHandle ToNative(EndPoint address)
    {
        IntPtr it;
        Errors.Check(address switch
        {
            IPEndPoint ip => Native.aloop_address_new(&it, ip.Address.ToString(), ip.Port),
            UnixDomainSocketEndPoint unix => Native.aloop_address_new_unix(&it, unix.ToString()),
            _ => throw new ArgumentException("neither an IP address nor a Unix socket's"),
        });
        return new AloopHandle(it);
    }
}
