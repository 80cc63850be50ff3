// SPDX-License-Identifier: MIT
namespace AsyncLoop;

/// <summary>What a loop goes by.</summary>
public enum LoopClock
{
    /// <summary>The time of the machine.</summary>
    Monotonic = Native.ALOOP_CLOCK_MONOTONIC,
    /// <summary>
    /// For tests: begins at 0 and jumps to the next timer when nothing else is to be done. It
    /// knows of what the loop waits for, not of Task.Delay and the thread pool.
    /// </summary>
    Virtual = Native.ALOOP_CLOCK_VIRTUAL,
}

/// <summary>Options of a loop; what is not set is the library's default.</summary>
public sealed class LoopOptions
{
    /// <summary>Debug mode; default: environment ASYNCLOOP_DEBUG=1.</summary>
    public bool? Debug { get; init; }

    /// <summary>The clock.</summary>
    public LoopClock? Clock { get; init; }

    /// <summary>Not 0: runs what is ready in an order shuffled from this seed, for tests.</summary>
    public ulong Seed { get; init; }

    /// <summary>Tasks run at once up to their first await.</summary>
    public bool EagerTasks { get; init; }

    /// <summary>
    /// Longest time, a second at most, for which the loop looks for work before it sleeps: what
    /// comes meanwhile is served earlier, for the processor's time.
    /// </summary>
    public TimeSpan BusyPoll { get; init; }

    /// <summary>
    /// Simulates TCP on the virtual clock, drawn from this seed; data takes up to
    /// <see cref="SimulatedDelay"/>.
    /// </summary>
    public ulong? SimulatorSeed { get; init; }

    /// <summary>See <see cref="SimulatorSeed"/>.</summary>
    public TimeSpan SimulatedDelay { get; init; }

    /// <summary>The share of the simulator's datagrams, 0 to 1, that is lost.</summary>
    public double SimulatedLoss { get; init; }

    internal AloopHandle ToNative()
    {
        var handle = new AloopHandle(Errors.CheckPointer(Native.aloop_loop_options_new()));
        IntPtr o = handle.Raw;
        if (Debug is bool debug)
        {
            Errors.Check(Native.aloop_loop_options_set_debug(o, debug ? 1 : 0));
        }
        if (Clock is LoopClock clock) Errors.Check(Native.aloop_loop_options_set_clock(o,
            (int)clock));
        if (Seed != 0) Errors.Check(Native.aloop_loop_options_set_seed(o, Seed));
        if (EagerTasks) Errors.Check(Native.aloop_loop_options_set_eager_tasks(o, 1));
        if (BusyPoll != TimeSpan.Zero)
        {
            Errors.Check(Native.aloop_loop_options_set_busy_poll(o, BusyPoll.TotalSeconds));
        }
        if (SimulatorSeed is ulong seed)
        {
            Errors.Check(Native.aloop_loop_options_set_simulator(o, seed,
                SimulatedDelay.TotalSeconds));
        }
        if (SimulatedLoss != 0)
        {
            Errors.Check(Native.aloop_loop_options_set_simulated_loss(o, SimulatedLoss));
        }
        return handle;
    }
}
