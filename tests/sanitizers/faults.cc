// faults.cc - commits the fault that is named: each has to end in a report before `make asan` may
// believe that there is none.
//
// Linked as the programs are, and does it where a worker would: in a child that ends by _exit(2).

#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <cstddef>
#include <iostream>
#include <memory>
#include <string_view>
#include <vector>

namespace {

// What the compiler must not know, lest it drop the fault.
volatile std::size_t eight = 8;
volatile int most = INT_MAX;
char* volatile last = nullptr;

void overflow_heap()
{
    const std::unique_ptr<char[]> bytes{new char[eight]};
    last = bytes.get();
    last[eight] = 'x';
}

void use_after_free()
{
    last = std::make_unique<char[]>(eight).get();
    last[0] = 'x';
}

void overflow_stack()
{
    char bytes[8] = {};
    last = bytes;
    last[eight] = 'x';
}

void overflow_int()
{
    most = most + 1;
}

void leak()
{
    last = new char[eight];
    last = nullptr;
}

void write_wild()
{
    last = reinterpret_cast<char*>(eight);
    *last = 'x';
}

void assert_falsely()
{
    const std::vector<int> none;
    most = none[eight];
}

struct Fault {
    std::string_view name;
    void (*commit)();
};

constexpr Fault kFaults[] = {
    {"heap-buffer-overflow", overflow_heap},
    {"heap-use-after-free", use_after_free},
    {"stack-buffer-overflow", overflow_stack},
    {"signed integer overflow", overflow_int},
    {"detected memory leaks", leak},
    {"SEGV", write_wild},
    {"ABRT", assert_falsely},
};

}  // namespace

// Without an argument, prints the names: the words that each report has to have in it.
int main(int count, char** arguments)
{
    const std::string_view wanted = count > 1 ? arguments[1] : "";
    for (const auto& fault : kFaults) {
        if (wanted.empty()) std::cout << fault.name << '\n';
        if (wanted != fault.name) continue;
        const auto child = ::fork();
        if (child == 0) {
            fault.commit();
            ::_exit(0);
        }
        ::waitpid(child, nullptr, 0);
    }
}
