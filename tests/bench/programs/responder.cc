// responder - the ceiling F: what nginx and FastCGI cost with a service that does nothing.
//
//     responder SOCKET PROCESSES
//
// The plain loop of libfcgi. It answers as many bytes as the query string says, from a buffer that
// is filled once for each size.

#include <fcgiapp.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <stdexcept>
#include <string>

namespace {

std::string answer(unsigned long size)
{
    return "Status: 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
           + std::to_string(size) + "\r\n\r\n" + std::string(size, 'x');
}

int respond(int listener)
{
    std::map<unsigned long, std::string> answers;
    FCGX_Request request;
    FCGX_InitRequest(&request, listener, 0);
    while (FCGX_Accept_r(&request) == 0) {
        const char* const uri = FCGX_GetParam("REQUEST_URI", request.envp);
        const char* const query = uri == nullptr ? nullptr : std::strchr(uri, '?');
        const auto size = query == nullptr ? 0 : std::strtoul(query + 1, nullptr, 10);
        auto& text = answers[size];
        if (text.empty()) text = answer(size);
        FCGX_PutStr(text.data(), static_cast<int>(text.size()), request.out);
        FCGX_Finish_r(&request);
    }
    return 1;
}

}  // namespace

int main(int argc, char** argv)
try {
    if (argc != 3) throw std::runtime_error("usage: responder SOCKET PROCESSES");
    FCGX_Init();
    const int listener = FCGX_OpenSocket(argv[1], 4096);
    if (listener < 0 || ::chmod(argv[1], 0666) != 0)
        throw std::runtime_error(std::string{"cannot listen on "} + argv[1]);
    for (auto left = std::stoul(argv[2]); left > 1; --left) {
        if (::fork() == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGTERM);
            break;
        }
    }
    return respond(listener);
} catch (const std::exception& problem) {
    std::fprintf(stderr, "responder: %s\n", problem.what());
    return 1;
}
