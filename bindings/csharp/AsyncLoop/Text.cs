// Text and lists of text between .NET and C.
// SPDX-License-Identifier: MIT
using System.Runtime.InteropServices;
using System.Text;

namespace AsyncLoop;

internal static unsafe class Text
{
    // The text, which C takes up to its first NUL: it must have none.
    internal static string? ForC(string? text) => text?.Contains('\0') != true ? text
        : throw new ArgumentException("There is a NUL character inside a text.");

    // For people to read: with U+FFFD for each NUL.
    internal static string Shown(string text) => text.Replace('\0', '\uFFFD');

    internal delegate long Writer(byte* buffer, nuint size);

    // What a function of C writes that takes a buffer and gives the whole length.
    internal static string Of(Writer write)
    {
        nuint size = 256;
        while (true)
        {
            byte* buffer = (byte*)NativeMemory.Alloc(size);
            try
            {
                long length = Errors.Check(write(buffer, size));
                if ((nuint)length < size) return Encoding.UTF8.GetString(buffer, (int)length);
                size = (nuint)length + 1;
            }
            finally
            {
                NativeMemory.Free(buffer);
            }
        }
    }
}

/// <summary>An array of C strings that ends with NULL.</summary>
internal sealed unsafe class NativeStrings : IDisposable
{
    private readonly int _count;

    internal IntPtr* Pointer { get; }

    internal NativeStrings(IReadOnlyCollection<string> strings)
    {
        foreach (string one in strings)
        {
            ArgumentNullException.ThrowIfNull(one, nameof(strings));  // C would take it for the end
            Text.ForC(one);
        }
        Pointer = (IntPtr*)NativeMemory.AllocZeroed((nuint)strings.Count + 1,
            (nuint)sizeof(IntPtr));
        foreach (string one in strings) Pointer[_count++] = Marshal.StringToCoTaskMemUTF8(one);
    }

    public void Dispose()
    {
        for (int i = 0; i < _count; i++) Marshal.FreeCoTaskMem(Pointer[i]);
        NativeMemory.Free(Pointer);
    }
}
