// options.cc - what the sanitizers are told, linked into every program of `make asan`.
//
// Compiled in, since the stack starts its parts with an empty environment. Reports go to
// files: a worker's last words must fail the run, whatever becomes of its log.

#include <dlfcn.h>
#include <sanitizer/lsan_interface.h>

namespace {

// GCC's two libraries have a function of this name each, and libubsan's call reaches libasan's, so
// that what libubsan says would go to stderr.
[[gnu::constructor]] void aim_libubsan()
{
    void* const library = ::dlopen("libubsan.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (library == nullptr) return;
    void* const function = ::dlsym(library, "__sanitizer_set_report_path");
    reinterpret_cast<void (*)(const char*)>(function)(SANITIZER_REPORTS "/undefined");
}

}  // namespace

extern "C" {

// ABRT is how an assertion ends, of ours or of the standard library. A program whose fault was
// reported ends by it, too, rather than by an exit code: much as it would without sanitizers.
const char* __asan_default_options()
{
    return "log_path=" SANITIZER_REPORTS
           "/address:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:"
           "strict_init_order=1:handle_abort=1:abort_on_error=1";
}

const char* __ubsan_default_options()
{
    return "print_stacktrace=1";
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
