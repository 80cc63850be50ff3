// What a loop is doing.
// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AsyncLoop;

public sealed partial class Loop
{
    /// <summary>The loop's counters, by their names in C, such as "callbacks".</summary>
    public IReadOnlyDictionary<string, long> Metrics
    {
        get
        {
            var all = new Dictionary<string, long>();
            for (int which = 0; Native.aloop_loop_metrics_name(which) is string name; which++)
            {
                all[name] = Errors.Check(Native.aloop_loop_metrics(Raw, which));
            }
            return all;
        }
    }

    /// <summary>
    /// Writes the counters and every task that has not ended, with what it waits for, to a
    /// descriptor, such as 2.
    /// </summary>
    public void Dump(int descriptor) => Errors.Check(Native.aloop_loop_dump(Raw, descriptor));

    /// <summary>Who awaits whom, from task up; in asyncio's form.</summary>
    public static unsafe string FormatCallGraph(LoopTask task)
    {
        if (task.Raw == IntPtr.Zero) return "";
        return Text.Of((buffer, size) =>
            Native.aloop_format_call_graph(task.Raw, long.MaxValue, buffer, size));
    }

    /// <summary>
    /// Calls hook for each callback and step, and when tasks begin and end; null: no more. It must
    /// not call the loop.
    /// </summary>
    public void SetTraceHook(Action<LoopTraceEvent>? hook)
    {
        IntPtr loop = Raw;
        if (hook == null)
        {
            Errors.Check(Native.aloop_loop_set_trace_hook(loop, 0, 0, 0));
            return;
        }
        IntPtr root = Root.Hold(new TraceHook(hook));
        long status = Native.aloop_loop_set_trace_hook(loop, TraceHook.Function, root, Root.Free);
        if (status < 0) Root.Drop(root);
        Errors.Check(status);
    }

    /// <summary>Debug mode: tells of slow callbacks, wrong threads and the like.</summary>
    public bool Debug
    {
        get => Errors.Check(Native.aloop_loop_get_debug(Raw)) != 0;
        set => Errors.Check(Native.aloop_loop_set_debug(Raw, value ? 1 : 0));
    }

    /// <summary>In debug mode a callback or step that takes this long is reported.</summary>
    public void SetSlowCallbackDuration(TimeSpan duration) =>
        Errors.Check(Native.aloop_loop_set_slow_callback_duration(Raw, duration.TotalSeconds));
}

/// <summary>What a trace hook is told of.</summary>
public enum LoopTraceKind
{
    /// <summary>A callback or a step of a task begins.</summary>
    Begin = Native.ALOOP_TRACE_BEGIN,
    /// <summary>It ends; with its duration.</summary>
    End = Native.ALOOP_TRACE_END,
    /// <summary>The loop was idle; with its duration.</summary>
    Slept = Native.ALOOP_TRACE_SLEPT,
    /// <summary>A task was made.</summary>
    TaskCreated = Native.ALOOP_TRACE_TASK_CREATED,
    /// <summary>A task has ended.</summary>
    TaskDone = Native.ALOOP_TRACE_TASK_DONE,
}

/// <summary>An event, on the monotonic clock; Task: its name, null of a callback.</summary>
public readonly record struct LoopTraceEvent(LoopTraceKind Kind, TimeSpan Time, TimeSpan Duration,
    string? Task);

internal sealed unsafe class TraceHook(Action<LoopTraceEvent> action)
{
    internal static readonly IntPtr Function =
        (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, IntPtr, IntPtr, void>)&OnEvent;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnEvent(IntPtr loop, IntPtr e, IntPtr root)
    {
        try
        {
            IntPtr task = Native.aloop_trace_event_task(e);
            Root.Of<TraceHook>(root).Tell(new LoopTraceEvent(
                (LoopTraceKind)Native.aloop_trace_event_kind(e),
                TimeSpan.FromMicroseconds(Native.aloop_trace_event_time(e) / 1000.0),
                TimeSpan.FromMicroseconds(Native.aloop_trace_event_duration(e) / 1000.0),
                task == IntPtr.Zero ? null : LoopTask.NameOf(task)));
        }
        catch (Exception failure)
        {
            Console.Error.WriteLine("the trace hook of a loop failed: " + failure);
        }
    }

    private void Tell(LoopTraceEvent e) => action(e);
}
