/*
 * functions.i: the function types of the headers. tools/parity.py fails where
 * one is missing here.
 */
%define FUNCTION_TYPES(RULE)
RULE(aloop_free_fn)
RULE(aloop_callback_fn)
RULE(aloop_malloc_fn)
RULE(aloop_realloc_fn)
RULE(aloop_coro_fn)
RULE(aloop_task_factory_fn)
RULE(aloop_exception_handler_fn)
RULE(aloop_done_fn)
RULE(aloop_step_fn)
RULE(aloop_generator_fn)
RULE(aloop_predicate_fn)
RULE(aloop_compare_fn)
RULE(aloop_exit_fn)
RULE(aloop_client_fn)
RULE(aloop_transport_fn)
RULE(aloop_data_received_fn)
RULE(aloop_get_buffer_fn)
RULE(aloop_buffer_updated_fn)
RULE(aloop_connection_lost_fn)
RULE(aloop_protocol_factory_fn)
RULE(aloop_job_fn)
RULE(aloop_process_fn)
RULE(aloop_once_fn)
%enddef
