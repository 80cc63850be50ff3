// What holds on to the other side: AloopHandle keeps an object of C for .NET, Root
// keeps an object of .NET for C.
// SPDX-License-Identifier: MIT
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace AsyncLoop;

/// <summary>A reference to an object of the library; dropped on any thread.</summary>
public sealed class AloopHandle : SafeHandle
{
    /// <summary>For the runtime; an empty handle.</summary>
    public AloopHandle() : base(IntPtr.Zero, true) { }

    internal AloopHandle(IntPtr owned) : base(IntPtr.Zero, true) => SetHandle(owned);

    /// <inheritdoc/>
    public override bool IsInvalid => handle == IntPtr.Zero;

    internal IntPtr Raw
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        Native.aloop_unref(handle);
        return true;
    }
}

internal static unsafe class Root
{
    private static int s_count;

    // How many objects of .NET are held by C.
    internal static int Count => Volatile.Read(ref s_count);

    internal static IntPtr Hold(object? target)
    {
        Interlocked.Increment(ref s_count);
        return GCHandle.ToIntPtr(GCHandle.Alloc(target));
    }

    internal static T Of<T>(IntPtr root) where T : class =>
        Unsafe.As<T>(GCHandle.FromIntPtr(root).Target!);

    internal static void Drop(IntPtr root)
    {
        GCHandle.FromIntPtr(root).Free();
        Interlocked.Decrement(ref s_count);
    }

    internal static object? Take(IntPtr root)
    {
        object? target = GCHandle.FromIntPtr(root).Target;
        Drop(root);
        return target;
    }

    // The free_fn of C for a root.
    internal static readonly IntPtr Free =
        (IntPtr)(delegate* unmanaged[Cdecl]<IntPtr, void>)&OnFree;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void OnFree(IntPtr root) => Drop(root);
}
