/*
 * asyncloop.i: the one SWIG interface of the library. From it come the raw Go
 * package, the raw C# class and, through SWIG's XML, the Rust crate
 * asyncloop-sys; `sh bindings/regenerate` writes them all.
 *
 * It bets on the headers being regular (README.md says how), so that it lists
 * neither functions nor types: what a pointer or a callback becomes in a
 * language is a rule of swig/<language>.i. The list of headers is generated too.
 *
 * Invariant: a managed frame never runs on a fiber. What would put one there,
 * and what is variadic, is left out for Go and C#, and named in
 * tools/parity-allow.txt with the reason.
 */
%module asyncloop

%{
#include <asyncloop.h>
#include <asyncloop/libevent.h>

/* The languages mirror these three. */
_Static_assert(sizeof(aloop_buf) == 2 * sizeof(void *), "aloop_buf");
_Static_assert(sizeof(aloop_completion) == 16 + 3 * sizeof(void *), "aloop_completion");
_Static_assert(offsetof(aloop_completion, value) == 16, "aloop_completion.value");
_Static_assert(sizeof(aloop_executor_vtable) == 3 * sizeof(void *), "aloop_executor_vtable");
%}

%include <stdint.i>

#if defined(SWIGGO)
%include "swig/go.i"
#elif defined(SWIGCSHARP)
%include "swig/csharp.i"
#elif !defined(SWIGXML)
#error "asyncloop.i has rules for Go, C# and XML"
#endif

#if defined(SWIGGO) || defined(SWIGCSHARP)
/* Variadic; the plain twins stay: aloop_raise_message, aloop_gather. */
%ignore aloop_raise;
%ignore aloop_raise_at;
%ignore aloop_gather_v;

/* What runs a function on a fiber, or suspends one. */
%ignore aloop_await;
%ignore aloop_return;
%ignore aloop_create_task;
%ignore aloop_spawn;
%ignore aloop_loop_create_task;
%ignore aloop_task_options_set_coro;
%ignore aloop_task_options_set_stack_size;
%ignore aloop_run;
%ignore aloop_main;
%ignore aloop_runner_run;
%ignore aloop_run_coroutine_threadsafe;
%ignore aloop_task_group_create_task;
%ignore aloop_task_group_spawn;
%ignore aloop_task_group_exit;
%ignore aloop_generator_new;
%ignore aloop_yield;
%ignore aloop_yield_result;

/* Mirrored by hand, where the language needs them. */
%ignore aloop_buf;
%ignore aloop_buf::base;
%ignore aloop_completion;
%ignore aloop_executor_vtable;
#endif

/* What the macros of scope.h call. */
%ignore aloop_scope_leave_;
%ignore aloop_unref_cleanup_;

%include "headers.i"
