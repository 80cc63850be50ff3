// What an awaited completion costs: through completion records, which one call of C
// brings in batches, and through a callback each; bare, and as the layer awaits. Time of
// the processor, so that a busy machine does not count.
// SPDX-License-Identifier: MIT
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using AsyncLoop;

const int Rounds = 5;
Bench.Print("completion record, in batches of 256", Rounds, () => Bench.Records(256));
Bench.Print("completion record, one at a time", Rounds, () => Bench.Records(1));
Bench.Print("callback, 256 at a time", Rounds, () => Bench.Callbacks(256));
Bench.Print("callback, one at a time", Rounds, () => Bench.Callbacks(1));
Bench.Print("await future, 256 tasks", Rounds, () => Bench.Awaits(256, () => Loop.Sleep(0)));
Bench.Print("await future, one task", Rounds, () => Bench.Awaits(1, () => Loop.Sleep(0)));
Bench.Print("await Task.Yield(), one task", Rounds, () =>
    Bench.Awaits(1, async () => await Task.Yield()));
Bench.Print("spawn and await a task", Rounds, () =>
    Bench.Awaits(1, async () => await Loop.Spawn(() => Task.CompletedTask)));
return 0;

internal static unsafe class Bench
{
    private const int Completions = 100_000;

    private static int s_called;

    internal static TimeSpan ProcessorTime
    {
        get
        {
            using var self = Process.GetCurrentProcess();
            return self.TotalProcessorTime;
        }
    }

    // The median, in nanoseconds each.
    internal static void Print(string what, int rounds, Func<double> seconds)
    {
        seconds();  // compiled, warm
        double[] all = [.. Enumerable.Range(0, rounds).Select(_ => seconds()).Order()];
        Console.WriteLine($"{what,-40} {all[rounds / 2] / Completions * 1e9,8:F0} ns");
    }

    private static double OnALoop(Action<IntPtr> run)
    {
        using var loop = new Loop();
        Native.aloop_set_event_loop(loop.Raw);
        TimeSpan before = Bench.ProcessorTime;
        run(loop.Raw);
        double seconds = (Bench.ProcessorTime - before).TotalSeconds;
        Native.aloop_set_event_loop(IntPtr.Zero);
        return seconds;
    }

    internal static double Records(int together) => OnALoop(loop =>
    {
        var records = stackalloc Completion[256];
        var futures = new IntPtr[together];
        for (int done = 0; done < Completions; done += together)
        {
            for (int i = 0; i < together; i++)
            {
                futures[i] = Native.aloop_loop_create_future(loop);
                Native.aloop_ref(futures[i]);
                Native.aloop_loop_start(loop, futures[i], (ulong)i + 1);
            }
            Finish(futures);
            for (long n = 0; n < together;) n += Native.aloop_loop_poll(loop, (IntPtr)records, 256,
                -1);
        }
    });

    internal static double Callbacks(int together) => OnALoop(loop =>
    {
        var futures = new IntPtr[together];
        for (int done = 0; done < Completions; done += together)
        {
            s_called = 0;
            for (int i = 0; i < together; i++)
            {
                futures[i] = Native.aloop_loop_create_future(loop);
                Native.aloop_future_add_done_callback(futures[i],
                    (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, IntPtr, long>)&OnDone,
                        Root.Hold(futures), Root.Free);
            }
            Finish(futures);
            while (s_called < together) Native.aloop_loop_run_once(loop, -1);
        }
    });

    private static void Finish(IntPtr[] futures)
    {
        foreach (IntPtr future in futures)
        {
            Native.aloop_future_set_result(future, 0, IntPtr.Zero, IntPtr.Zero);
            Native.aloop_unref(future);
        }
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static long OnDone(IntPtr future, IntPtr data)
    {
        s_called += Root.Of<IntPtr[]>(data).Length > 0 ? 1 : 0;
        return 0;
    }

    internal static double Awaits(int tasks, Func<Task> one) => Loop.Run(() => Measure(tasks, one));

    private static Task<double> Measure(int tasks, Func<Task> one) =>
        Measuring.Run(tasks, Completions / tasks, one);
}

internal static class Measuring
{
    internal static async Task<double> Run(int tasks, int each, Func<Task> one)
    {
        async Task Many()
        {
            for (int i = 0; i < each; i++) await one();
        }
        TimeSpan before = Bench.ProcessorTime;
        await Task.WhenAll(Enumerable.Range(0, tasks).Select(_ => Loop.Spawn(Many).AsTask()));
        return (Bench.ProcessorTime - before).TotalSeconds;
    }
}
