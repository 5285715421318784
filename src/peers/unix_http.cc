#include "peers/unix_http.h"

#include <curl/curl.h>

#include <cstring>
#include <memory>

namespace unix_http {
namespace {

constexpr std::size_t kLongestAnswer = 4 * 1024 * 1024;

// Called by libcurl for each piece of an answer. Returning fewer bytes than given ends the
// transfer.
std::size_t take(const char* piece, std::size_t /*one*/, std::size_t size, void* answer)
{
    auto& text = *static_cast<std::string*>(answer);
    if (text.size() + size > kLongestAnswer) return 0;
    text.append(piece, size);
    return size;
}

// Returns the system's error of a failed connect(2), or else libcurl's.
std::string reason_of(CURL* handle, CURLcode result)
{
    long reason = 0;
    curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &reason);
    if (result == CURLE_COULDNT_CONNECT && reason != 0)
        return std::strerror(static_cast<int>(reason));
    return curl_easy_strerror(result);
}

}  // namespace

std::string get(const std::string& socket, const std::string& path,
                std::chrono::milliseconds deadline)
{
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle{curl_easy_init(),
                                                                     curl_easy_cleanup};
    if (handle == nullptr) throw Failed(socket + ": libcurl could not be started");
    std::string body;
    curl_easy_setopt(handle.get(), CURLOPT_URL, ("http://mailboxd" + path).c_str());
    curl_easy_setopt(handle.get(), CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
    curl_easy_setopt(handle.get(), CURLOPT_PROXY, "");  // no proxy of the environment
    curl_easy_setopt(handle.get(), CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(handle.get(), CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(handle.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(deadline.count()));
    curl_easy_setopt(handle.get(), CURLOPT_NOSIGNAL, 1L);
    const auto result = curl_easy_perform(handle.get());
    if (result != CURLE_OK) throw Failed(socket + ": " + reason_of(handle.get(), result));
    long status = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) throw Failed(socket + ": the answer is " + std::to_string(status));
    return body;
}

}  // namespace unix_http
