// The library's status codes, as AloopException.Status has them.
// SPDX-License-Identifier: MIT
namespace AsyncLoop;

/// <summary>
/// Status codes: negative numbers, -errno for the system's errors and the library's own
/// below -10000. Codes at or below <see cref="User"/> belong to the program.
/// </summary>
public static class Status
{
    /// <summary>The system knows no such thing.</summary>
    public const long NoEntry = Native.ALOOP_ENOENT;
    /// <summary>It would have to wait.</summary>
    public const long Again = Native.ALOOP_EAGAIN;
    /// <summary>Out of memory.</summary>
    public const long NoMemory = Native.ALOOP_ENOMEM;
    /// <summary>It is there already.</summary>
    public const long Exists = Native.ALOOP_EEXIST;
    /// <summary>An argument is wrong.</summary>
    public const long Invalid = Native.ALOOP_EINVAL;
    /// <summary>Nobody reads any more.</summary>
    public const long BrokenPipe = Native.ALOOP_EPIPE;
    /// <summary>The peer reset the connection.</summary>
    public const long ConnectionReset = Native.ALOOP_ECONNRESET;
    /// <summary>Nobody listens there.</summary>
    public const long ConnectionRefused = Native.ALOOP_ECONNREFUSED;
    /// <summary>asyncio's TimeoutError; in .NET a <see cref="TimeoutException"/>.</summary>
    public const long TimedOut = Native.ALOOP_ETIMEDOUT;
    /// <summary>Closed; in .NET an <see cref="ObjectDisposedException"/>.</summary>
    public const long Stale = Native.ALOOP_ESTALE;
    /// <summary>Cancelled; in .NET an <see cref="OperationCanceledException"/>.</summary>
    public const long Canceled = Native.ALOOP_ECANCELED;
    /// <summary>Not done yet, or done already.</summary>
    public const long InvalidState = Native.ALOOP_EINVALIDSTATE;
    /// <summary>The queue or channel is empty.</summary>
    public const long QueueEmpty = Native.ALOOP_EQUEUEEMPTY;
    /// <summary>The queue or channel is full.</summary>
    public const long QueueFull = Native.ALOOP_EQUEUEFULL;
    /// <summary>The queue was shut down.</summary>
    public const long QueueShutDown = Native.ALOOP_EQUEUESHUTDOWN;
    /// <summary>The barrier was reset or aborted.</summary>
    public const long BrokenBarrier = Native.ALOOP_EBROKENBARRIER;
    /// <summary>The stream ended too soon.</summary>
    public const long IncompleteRead = Native.ALOOP_EINCOMPLETEREAD;
    /// <summary>No separator within the limit.</summary>
    public const long LimitOverrun = Native.ALOOP_ELIMITOVERRUN;
    /// <summary>There are no more values.</summary>
    public const long StopIteration = Native.ALOOP_ESTOPITERATION;
    /// <summary>No loop runs here.</summary>
    public const long NoRunningLoop = Native.ALOOP_ENORUNNINGLOOP;
    /// <summary>A loop already runs here.</summary>
    public const long LoopRunning = Native.ALOOP_ELOOPRUNNING;
    /// <summary>Of another loop.</summary>
    public const long WrongLoop = Native.ALOOP_EWRONGLOOP;
    /// <summary>Called from another thread than the loop's.</summary>
    public const long WrongThread = Native.ALOOP_EWRONGTHREAD;
    /// <summary>Needs a task around it.</summary>
    public const long NoTask = Native.ALOOP_ENOTASK;
    /// <summary>Several errors; in .NET an <see cref="AggregateException"/>.</summary>
    public const long Group = Native.ALOOP_EGROUP;
    /// <summary>The name does not resolve.</summary>
    public const long Resolve = Native.ALOOP_ERESOLVE;
    /// <summary>The TLS library reports a failure.</summary>
    public const long Tls = Native.ALOOP_ETLS;
    /// <summary>The peer's certificate does not verify.</summary>
    public const long TlsCertificate = Native.ALOOP_ETLSCERT;
    /// <summary>The peer closed without a close_notify.</summary>
    public const long TlsTruncated = Native.ALOOP_ETLSTRUNCATED;
    /// <summary>The loop stopped before it was done.</summary>
    public const long LoopStopped = Native.ALOOP_ELOOPSTOPPED;
    /// <summary>Released or notified by somebody who does not hold it.</summary>
    public const long NotOwner = Native.ALOOP_ENOTOWNER;
    /// <summary>The executor or group is shut down.</summary>
    public const long ShutDown = Native.ALOOP_ESHUTDOWN;
    /// <summary>Another operation is under way.</summary>
    public const long Busy = Native.ALOOP_EBUSY;
    /// <summary>A broadcast's receiver was too slow.</summary>
    public const long Lagged = Native.ALOOP_ELAGGED;
    /// <summary>This and everything below it is the program's own.</summary>
    public const long User = Native.ALOOP_EUSER;

    /// <summary>The name as C has it, such as "ALOOP_EINVAL".</summary>
    public static string Name(long code) => Native.aloop_errname(code) ?? "";

    /// <summary>A sentence that says what the code means.</summary>
    public static string Describe(long code) => Native.aloop_strerror(code) ?? "";

    /// <summary>The code that an exception stands for.</summary>
    public static long Of(Exception exception) => Errors.CodeOf(exception);
}
