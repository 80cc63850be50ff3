// Exceptions and the errors of C, both ways. An exception that goes through C is
// there an error with a payload: a number under which the exception waits here. The
// number is odd, so that it is no address that somebody else hung on an error.
// SPDX-License-Identifier: MIT
using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace AsyncLoop;

/// <summary>A failure of the library, or of the program by a code of its own.</summary>
public class AloopException : Exception
{
    /// <summary>The status code: see <see cref="AsyncLoop.Status"/>.</summary>
    public long Status { get; }

    /// <summary>A failure with a code and its standard text.</summary>
    public AloopException(long status) : this(status, AsyncLoop.Status.Describe(status)) { }

    /// <summary>A failure with a code and a text.</summary>
    public AloopException(long status, string message) : base(message) => Status = status;

    /// <summary>A failure with a code, a text and what caused it.</summary>
    public AloopException(long status, string message, Exception? inner) : base(message, inner) =>
        Status = status;
}

/// <summary>A stream ended, or went on, where something else was awaited.</summary>
public sealed class IncompleteReadException : AloopException
{
    /// <summary>What was read before the end.</summary>
    public byte[] Partial { get; }

    /// <summary>How many bytes were asked for; -1 where that is not known.</summary>
    public long Expected { get; }

    internal IncompleteReadException(string message, byte[] partial, long expected)
        : base(AsyncLoop.Status.IncompleteRead, message)
    {
        Partial = partial;
        Expected = expected;
    }
}

internal static unsafe class Errors
{
    private static readonly ConcurrentDictionary<IntPtr, Exception> s_inC = new();
    private static long s_last = 1;

    // How many exceptions C holds at present.
    internal static int HeldByC => s_inC.Count;

    internal static long Check(long status, object? keep = null)
    {
        GC.KeepAlive(keep);
        if (status < 0) Throw(status);
        return status;
    }

    internal static IntPtr CheckPointer(IntPtr pointer) =>
        pointer != IntPtr.Zero ? pointer : throw new OutOfMemoryException();

    private static void Throw(long status) => throw ToException(status, IntPtr.Zero);

    internal static long CodeOf(Exception exception) => exception switch
    {
        AloopException e => e.Status < 0 ? e.Status : Status.User,
        OperationCanceledException => Status.Canceled,
        TimeoutException => Status.TimedOut,
        ObjectDisposedException => Status.Stale,
        AggregateException => Status.Group,
        OutOfMemoryException => Status.NoMemory,
        ArgumentException => Status.Invalid,
        _ => Status.User,
    };

    // From C to .NET: the exception itself where C only carried it.
    internal static Exception ToException(long status, IntPtr error)
    {
        if (error == IntPtr.Zero) return Make(status, Status.Describe(status), null);
        IntPtr payload = Native.aloop_error_payload(error);
        if (s_inC.TryGetValue(payload, out Exception? whole)) return whole;
        string message = Native.aloop_error_message(error) ?? "";
        if (status == Status.Group) return GroupOf(error, message);
        if (status == Status.IncompleteRead) return IncompleteOf(error, message);
        IntPtr cause = Native.aloop_error_cause(error);
        return Make(status, message,
            cause == IntPtr.Zero ? null : ToException(Native.aloop_error_code(cause), cause));
    }

    private static Exception Make(long status, string message, Exception? inner) => status switch
    {
        Status.Canceled => new OperationCanceledException(message, inner),
        Status.TimedOut => new TimeoutException(message, inner),
        Status.Stale => new ObjectDisposedException(message, inner),
        Status.NoMemory => new OutOfMemoryException(message, inner),
        _ => new AloopException(status, message, inner),
    };

    private static AggregateException GroupOf(IntPtr error, string message)
    {
        var children = new Exception[Native.aloop_error_child_count(error)];
        for (int i = 0; i < children.Length; i++)
        {
            IntPtr child = Native.aloop_error_child(error, i);
            children[i] = ToException(Native.aloop_error_code(child), child);
        }
        return new AggregateException(message, children);
    }

    private static IncompleteReadException IncompleteOf(IntPtr error, string message)
    {
        IntPtr partial = Native.aloop_error_partial(error);
        return new IncompleteReadException(message,
            partial == IntPtr.Zero ? [] : Bytes.Copy(partial), Native.aloop_error_expected(error));
    }

    // In a step or job of C: makes exception the detail of its failure, gives the code.
    internal static long Raise(Exception exception)
    {
        long code = CodeOf(exception);
        var key = (IntPtr)Interlocked.Add(ref s_last, 2);
        s_inC[key] = exception;
        return Native.aloop_raise_payload(code, Describe(exception, false), key,
            (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, void>)&Forget);
    }

    // An error of C, a reference, that carries exception.
    internal static IntPtr ToC(Exception exception)
    {
        var key = (IntPtr)Interlocked.Add(ref s_last, 2);
        s_inC[key] = exception;
        IntPtr error = Native.aloop_error_new_payload(CodeOf(exception),
            Describe(exception, false), key,
            (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, void>)&Forget);
        if (error == IntPtr.Zero) s_inC.TryRemove(key, out _);
        return CheckPointer(error);
    }

    // Its message, or all of it, for people. Both are the program's code, which may throw.
    internal static string Describe(Exception exception, bool whole)
    {
        try
        {
            return Text.Shown((whole ? exception.ToString() : exception.Message) ?? "");
        }
        catch (Exception)
        {
            return exception.GetType().ToString();
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Forget(IntPtr key) => s_inC.TryRemove(key, out _);

    // Throws it as it was thrown first, with its stack.
    internal static void Rethrow(Exception exception) =>
        ExceptionDispatchInfo.Capture(exception).Throw();
}

internal static unsafe class Bytes
{
    // Of an aloop_bytes, borrowed.
    internal static byte[] Copy(IntPtr bytes)
    {
        var size = (int)Native.aloop_bytes_size(bytes);
        return new ReadOnlySpan<byte>((void*)Native.aloop_bytes_data(bytes), size).ToArray();
    }

    // Of an aloop_bytes that is ours, and dropped.
    internal static byte[] Take(IntPtr bytes)
    {
        if (bytes == IntPtr.Zero) return [];
        byte[] copy = Copy(bytes);
        Native.aloop_bytes_unref(bytes);
        return copy;
    }
}
