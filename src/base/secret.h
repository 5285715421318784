// secret.h - bytes that must not outlive their use: passwords, and bodies that hold them.
//
// Move-only; wiped when destroyed or moved from. The bytes are in one block that never
// grows, so no copy of them is left behind in freed memory.
#pragma once

#include <sodium.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <utility>

class Secret {
public:
    Secret() = default;
    // Room for `size` bytes, zeroed, to be filled through data().
    explicit Secret(std::size_t size) : bytes_{std::make_unique<char[]>(size)}, size_{size} {}
    explicit Secret(std::string_view text) : Secret{text.size()}
    {
        std::copy(text.begin(), text.end(), bytes_.get());
    }
    Secret(Secret&& other) noexcept
        : bytes_{std::move(other.bytes_)}, size_{std::exchange(other.size_, 0)}
    {
    }
    Secret& operator=(Secret&& other) noexcept
    {
        std::swap(bytes_, other.bytes_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Secret()
    {
        if (bytes_) sodium_memzero(bytes_.get(), size_);
    }

    char* data() { return bytes_.get(); }
    std::size_t size() const { return size_; }
    // What has been filled in; not the secret's end but where its reader stopped.
    std::string_view text() const { return {bytes_.get(), size_}; }
    // Shortens; the bytes behind stay until they are wiped with the rest.
    void shrink(std::size_t size)
    {
        sodium_memzero(bytes_.get() + size, size_ - size);
        size_ = size;
    }

private:
    std::unique_ptr<char[]> bytes_;
    std::size_t size_ = 0;
};
