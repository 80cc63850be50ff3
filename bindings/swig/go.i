/*
 * go.i: what the C types are in Go. Objects, functions and user data are
 * integers (uintptr): Go's runtime takes no small integer for a pointer, and its
 * collector looks at none of them. What C fills in during the call is a Go
 * pointer; what it keeps is C memory, an integer again. Bytes that C reads
 * during the call are a []byte, without a copy.
 */
%rename("%(regex:/^aloop_(.*)/\\1/)s", %$isfunction) "";
%rename("Select") aloop_select; /* select is a Go keyword */
/* A (-2) would be a variable; tools/gen_go.py writes them as constants. */
%rename("$ignore", %$isconstant) "";

%typemap(gotype) SWIGTYPE *, void *, const void *, const uint8_t * "uintptr"
%typemap(imtype) SWIGTYPE *, void *, const void *, const uint8_t * "uintptr"
%typemap(goin) SWIGTYPE *, void *, const void *, const uint8_t * "$result = $input"
%typemap(goout) SWIGTYPE *, void *, const void *, const uint8_t * "$result = $1"

/* Functions. */
%define GO_FUNCTION(TYPE)
%typemap(gotype) TYPE "uintptr"
%typemap(imtype) TYPE "uintptr"
%typemap(goin) TYPE "$result = $input"
%typemap(goout) TYPE "$result = $1"
%enddef
%include "functions.i"
FUNCTION_TYPES(GO_FUNCTION)

%typemap(gotype) int32_t "int32"
%typemap(gotype) uint32_t "uint32"

/* Out parameters, and arrays of objects that C reads during the call. */
%typemap(gotype) SWIGTYPE **, void **, SWIGTYPE *const * "*uintptr"
%typemap(imtype) SWIGTYPE **, void **, SWIGTYPE *const * "*uintptr"
%typemap(gotype) int32_t * "*int32"
%typemap(imtype) int32_t * "*int32"
/* Arrays of strings are C memory. */
%typemap(gotype) const char *const * "uintptr"
%typemap(imtype) const char *const * "uintptr"

%typemap(gotype) (const void *data, size_t len) "[]byte"
%typemap(imtype) (const void *data, size_t len) "[]byte"
%typemap(in) (const void *data, size_t len) %{
  $1 = ($1_ltype)$input.array;
  $2 = ($2_ltype)$input.len;
%}
%apply (const void *data, size_t len) { (const void *input, size_t len),
                                        (const void *separator, size_t len) };
%typemap(gotype) (char *buffer, size_t size) "[]byte"
%typemap(imtype) (char *buffer, size_t size) "[]byte"
%typemap(in) (char *buffer, size_t size) %{
  $1 = ($1_ltype)$input.array;
  $2 = ($2_ltype)$input.len;
%}

/* An empty string is NULL; out of memory looks the same. */
%typemap(imtype) const char * "string"
%typemap(in) const char * %{
  $1 = NULL;
  if ($input.n > 0) {
    $1 = ($1_ltype)malloc($input.n + 1);
    if ($1 != NULL) {
      memcpy($1, $input.p, $input.n);
      $1[$input.n] = '\0';
    }
  }
%}
