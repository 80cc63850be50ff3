/*
 * csharp.i: what the C types are in C#. Everything that crosses is blittable,
 * so that nothing is marshalled but strings: objects, functions and user data
 * are IntPtr, out parameters and arrays IntPtr* (null where C allows it), bytes
 * byte*, size_t UIntPtr. The class keeps the names of C.
 *
 * The helpers for exceptions and strings of SWIG are off (tools/swig.py), and with
 * them everything that would run before the first call.
 */
%pragma(csharp) moduleclassmodifiers="internal static unsafe class"
%pragma(csharp) imclassclassmodifiers="internal unsafe class"
%csconst(1);
/* C# has no suffix LL. */
%csconstvalue("0x7fffffffffffffff") ALOOP_NO_LIMIT;

%define CS_VALUE(CT, TYPE, CTYPE)
%typemap(ctype) CT "CTYPE"
%typemap(imtype) CT "TYPE"
%typemap(cstype) CT "TYPE"
%typemap(csin) CT "$csinput"
%typemap(csout, excode="") CT { return $imcall; }
%enddef

%define CS_POINTER(CT, TYPE)
CS_VALUE(%arg(CT), TYPE, void *)
%typemap(in) CT %{ $1 = ($1_ltype)$input; %}
%typemap(out) CT %{ $result = (void *)$1; %}
%enddef

CS_POINTER(%arg(SWIGTYPE *), global::System.IntPtr)
CS_POINTER(%arg(void *), global::System.IntPtr)
CS_POINTER(%arg(const void *), global::System.IntPtr)
CS_POINTER(%arg(const uint8_t *), global::System.IntPtr)
CS_POINTER(%arg(SWIGTYPE **), global::System.IntPtr*)
CS_POINTER(%arg(void **), global::System.IntPtr*)
CS_POINTER(%arg(SWIGTYPE *const *), global::System.IntPtr*)
CS_POINTER(%arg(const char *const *), global::System.IntPtr*)
CS_POINTER(%arg(int32_t *), int*)
CS_POINTER(%arg(char *buffer), byte*)
CS_POINTER(%arg(const void *data), byte*)
CS_POINTER(%arg(const void *input), byte*)
CS_POINTER(%arg(const void *separator), byte*)

CS_VALUE(size_t, global::System.UIntPtr, size_t)

%define CS_FUNCTION(TYPE)
CS_POINTER(TYPE, global::System.IntPtr)
%enddef
%include "functions.i"
FUNCTION_TYPES(CS_FUNCTION)

/* Strings go in as UTF-8, null as NULL, with no NUL inside, which C would take for the
   end; out they are borrowed, and copied. */
%typemap(ctype) const char * "void *"
%typemap(imtype, out="global::System.IntPtr",
         inattributes="[global::System.Runtime.InteropServices.MarshalAs(global::System.Runtime.InteropServices.UnmanagedType.LPUTF8Str)]")
    const char * "string"
%typemap(cstype) const char * "string"
%typemap(csin) const char * "global::AsyncLoop.Text.ForC($csinput)"
%typemap(in) const char * %{ $1 = ($1_ltype)$input; %}
%typemap(out) const char * %{ $result = (void *)$1; %}
%typemap(csout, excode="") const char * {
    return global::System.Runtime.InteropServices.Marshal.PtrToStringUTF8($imcall);
  }
