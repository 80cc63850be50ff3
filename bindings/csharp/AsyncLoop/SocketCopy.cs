// A descriptor of its own for a socket of the program, which C takes over where it makes
// something of it. A Socket cannot let go of its own one.
// SPDX-License-Identifier: MIT
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace AsyncLoop;

internal sealed class SocketCopy
{
    private const int DuplicateCloseOnExec = 1030;  // F_DUPFD_CLOEXEC
    private readonly SafeFileHandle _handle;

    private SocketCopy(int descriptor) => _handle = new SafeFileHandle(descriptor, true);

    internal int Descriptor => (int)_handle.DangerousGetHandle();

    [DllImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static extern int Control(int descriptor, int command, int argument);

    private static SocketCopy Of(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        int copy = Control((int)socket.SafeHandle.DangerousGetHandle(), DuplicateCloseOnExec, 0);
        GC.KeepAlive(socket);
        return copy >= 0 ? new SocketCopy(copy)
            : throw Errors.ToException(-Marshal.GetLastPInvokeError(), IntPtr.Zero);
    }

    // Begins an operation that makes something of a copy; on failure that is closed.
    internal static Task<T> Start<T>(Loop loop, Socket socket, Func<SocketCopy, IntPtr> begin,
        Func<IntPtr, T> made, CancellationToken token)
    {
        SocketCopy copy = Of(socket);
        return Operations.Start(loop, () => begin(copy), (in Completion c) =>
        {
            copy._handle.SetHandleAsInvalid();
            return made(c.Value);
        }, token, failure =>
        {
            copy._handle.Dispose();
            return failure;
        });
    }
}
