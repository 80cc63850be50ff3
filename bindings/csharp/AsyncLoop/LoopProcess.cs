// Child processes.
// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;

namespace AsyncLoop;

/// <summary>Where a child's stream goes: one of these, or a descriptor.</summary>
public static class Redirect
{
    /// <summary>A stream of <see cref="LoopProcess"/>.</summary>
    public const int Pipe = Native.ALOOP_PIPE;
    /// <summary>Of standard error: where standard output goes.</summary>
    public const int StandardOutput = Native.ALOOP_STDOUT;
    /// <summary>/dev/null.</summary>
    public const int Null = Native.ALOOP_DEVNULL;
    /// <summary>The parent's.</summary>
    public const int Inherit = Native.ALOOP_INHERIT;
}

/// <summary>How a child is started; what is not set is as in the parent.</summary>
public sealed class ProcessOptions
{
    /// <summary>See <see cref="Redirect"/>.</summary>
    public int StandardInput { get; init; } = Redirect.Inherit;
    /// <summary>See <see cref="Redirect"/>.</summary>
    public int StandardOutput { get; init; } = Redirect.Inherit;
    /// <summary>See <see cref="Redirect"/>.</summary>
    public int StandardError { get; init; } = Redirect.Inherit;
    /// <summary>Its directory.</summary>
    public string? WorkingDirectory { get; init; }
    /// <summary>Its environment, in place of the parent's.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }
    /// <summary>Descriptors that it gets, as which (3 or more). All others are closed.</summary>
    public IReadOnlyDictionary<int, int>? Descriptors { get; init; }
    /// <summary>Whether it leads a session of its own.</summary>
    public bool NewSession { get; init; }
    /// <summary>0: a process group of its own; else the group to join.</summary>
    public int? ProcessGroup { get; init; }
    /// <summary>Its user's id.</summary>
    public uint? User { get; init; }
    /// <summary>Its group's id.</summary>
    public uint? Group { get; init; }
    /// <summary>Its umask.</summary>
    public int? Umask { get; init; }
    /// <summary>Limits as of setrlimit: resource, soft, hard.</summary>
    public IReadOnlyList<(int Resource, ulong Soft, ulong Hard)>? Limits { get; init; }
    /// <summary>The most bytes that ReadLine and ReadUntil of its pipes look through.</summary>
    public int? ReadLimit { get; init; }
    /// <summary>The most bytes that CommunicateAsync reads of each output.</summary>
    public long? OutputLimit { get; init; }

    internal unsafe AloopHandle ToNative()
    {
        var handle = new AloopHandle(Errors.CheckPointer(Native.aloop_process_options_new()));
        IntPtr o = handle.Raw;
        Errors.Check(Native.aloop_process_options_set_stdin(o, StandardInput));
        Errors.Check(Native.aloop_process_options_set_stdout(o, StandardOutput));
        Errors.Check(Native.aloop_process_options_set_stderr(o, StandardError));
        if (WorkingDirectory != null) Errors.Check(Native.aloop_process_options_set_cwd(o,
            WorkingDirectory));
        if (Environment != null)
        {
            using var env = new NativeStrings([.. Environment.Select(e => e.Key + "=" + e.Value)]);
            Errors.Check(Native.aloop_process_options_set_env(o, env.Pointer));
        }
        foreach (var (fd, child) in Descriptors ?? new Dictionary<int, int>())
        {
            Errors.Check(Native.aloop_process_options_add_fd(o, fd, child));
        }
        if (NewSession) Errors.Check(Native.aloop_process_options_set_new_session(o, 1));
        if (ProcessGroup is int p) Errors.Check(Native.aloop_process_options_set_process_group(o,
            p));
        if (User is uint user) Errors.Check(Native.aloop_process_options_set_user(o, user));
        if (Group is uint group) Errors.Check(Native.aloop_process_options_set_group(o, group));
        if (Umask is int umask) Errors.Check(Native.aloop_process_options_set_umask(o, umask));
        foreach (var (resource, soft, hard) in Limits ?? [])
        {
            Errors.Check(Native.aloop_process_options_add_rlimit(o, resource, soft, hard));
        }
        if (ReadLimit is int look)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(look, nameof(ReadLimit));
            Errors.Check(Native.aloop_process_options_set_limit(o, (nuint)look));
        }
        if (OutputLimit is long limit)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(limit, nameof(OutputLimit));
            Errors.Check(Native.aloop_process_options_set_output_limit(o, (nuint)limit));
        }
        return handle;
    }
}

/// <summary>
/// A child process. Disposing of it ends nothing: it runs on, and the loop reaps it; a loop that is
/// closed kills those that are left. asyncio.subprocess.Process.
/// </summary>
public sealed class LoopProcess : IDisposable
{
    private readonly Loop _home;
    private readonly AloopHandle _handle;

    private LoopProcess(Loop home, IntPtr owned)
    {
        _home = home;
        _handle = new AloopHandle(owned);
        StandardInput = StreamOf(Native.aloop_process_stdin(owned));
        StandardOutput = StreamOf(Native.aloop_process_stdout(owned));
        StandardError = StreamOf(Native.aloop_process_stderr(owned));
    }

    private LoopStream? StreamOf(IntPtr borrowed) =>
        borrowed == IntPtr.Zero ? null : new LoopStream(_home, Native.aloop_ref(borrowed));

    /// <summary>Starts a program, which is looked for in PATH. create_subprocess_exec.</summary>
    public static Task<LoopProcess> StartAsync(string file, IEnumerable<string>? arguments = null,
        ProcessOptions? options = null, CancellationToken token = default)
    {
        Loop loop = Loop.Current;
        // C reads the arguments when the operation runs.
        var argv = new NativeStrings([file, .. arguments ?? []]);
        return Start(loop, o => Exec(argv, o), options, token, argv);
    }

    private static unsafe IntPtr Exec(NativeStrings argv, IntPtr options) =>
        Native.aloop_create_subprocess_exec(argv.Pointer, options);

    /// <summary>Starts a command line of /bin/sh. create_subprocess_shell.</summary>
    public static Task<LoopProcess> ShellAsync(string command, ProcessOptions? options = null,
        CancellationToken token = default) =>
        Start(Loop.Current, o => Native.aloop_create_subprocess_shell(command, o), options, token,
            null);

    private static Task<LoopProcess> Start(Loop loop, Func<IntPtr, IntPtr> begin,
        ProcessOptions? options, CancellationToken token, IDisposable? kept) =>
        Operations.Start(loop, () =>
        {
            using AloopHandle? o = options?.ToNative();
            return begin(o?.Raw ?? IntPtr.Zero);
        }, (in Completion c) => new LoopProcess(loop, c.Value), token, failure =>
        {
            kept?.Dispose();
            return failure;
        });

    /// <summary>Its process id.</summary>
    public int Id => (int)Check(Native.aloop_process_pid(_handle.Raw));

    /// <summary>Its exit code, minus the signal that killed it, or null while it runs.</summary>
    public unsafe int? ExitCode
    {
        get
        {
            int code;
            return Check(Native.aloop_process_returncode(_handle.Raw, &code)) != 0 ? code : null;
        }
    }

    /// <summary>Where it reads from, if that is a pipe.</summary>
    public LoopStream? StandardInput { get; }
    /// <summary>What it writes, if that is a pipe.</summary>
    public LoopStream? StandardOutput { get; }
    /// <summary>What it reports, if that is a pipe.</summary>
    public LoopStream? StandardError { get; }

    /// <summary>Waits for its end: its exit code, or minus the signal that killed it.</summary>
    public Task<int> WaitAsync(CancellationToken token = default) => Operations.Start(_home,
        () => Native.aloop_process_wait(_handle.Raw),
        static (in Completion c) => CodeOf(c.Status), token);

    private static int CodeOf(long status) =>
        (int)(status >= Native.ALOOP_SIGNALED ? Native.ALOOP_SIGNALED - status : status);

    /// <summary>Sends input, reads all output, and waits for its end.</summary>
    public Task<(int ExitCode, byte[] Output, byte[] Error)> CommunicateAsync(
        ReadOnlyMemory<byte> input = default, CancellationToken token = default) =>
        Operations.Start(_home, () => Communicate(input), static (in Completion c) =>
        {
            var all = (CodeOf(c.Status), Bytes.Take(Native.aloop_results_take(c.Value, 0)),
                Bytes.Take(Native.aloop_results_take(c.Value, 1)));
            Native.aloop_results_unref(c.Value);
            return all;
        }, token);

    private unsafe IntPtr Communicate(ReadOnlyMemory<byte> input)
    {
        fixed (byte* p = input.Span)
        {
            return Native.aloop_process_communicate(_handle.Raw, p, (nuint)input.Length);
        }
    }

    /// <summary>Sends a signal by its number.</summary>
    public void SendSignal(int signal) =>
        Check(Native.aloop_process_send_signal(_handle.Raw, signal));

    /// <summary>SIGTERM.</summary>
    public void Terminate() => Check(Native.aloop_process_terminate(_handle.Raw));

    /// <summary>SIGKILL.</summary>
    public void Kill() => Check(Native.aloop_process_kill(_handle.Raw));

    /// <summary>To its whole process group.</summary>
    public void SignalGroup(int signal) =>
        Check(Native.aloop_process_signal_group(_handle.Raw, signal));

    /// <summary>Closes its pipes, and lets go of it.</summary>
    public void Dispose()
    {
        StandardInput?.Dispose();
        StandardOutput?.Dispose();
        StandardError?.Dispose();
        _handle.Dispose();
    }

    private long Check(long status) => Errors.Check(status, this);
}
