// options.cc - what the sanitizers are told, linked into every program of `make asan`.
//
// Compiled in, since the stack starts its parts with an empty environment. Reports go to
// files: a worker's last words must fail the run, whatever becomes of its log.

#include <sanitizer/lsan_interface.h>

extern "C" {

const char* __asan_default_options()
{
    return "log_path=" SANITIZER_REPORTS
           "/report:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:"
           "strict_init_order=1:print_stacktrace=1";
}

// Worker and tests that fork end by _exit(2), where LeakSanitizer would not look.
void __real__exit(int code);
[[noreturn]] void __wrap__exit(int code)
{
    __lsan_do_leak_check();
    __real__exit(code);
    __builtin_unreachable();
}

}  // extern "C"
