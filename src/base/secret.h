// secret.h - bytes that are wiped after use: passwords, and bodies that contain them.
//
// Move-only; wiped when destroyed. The bytes are in one block that never grows, so no copy of them
// is left in freed memory.
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
    // Allocates `size` zero bytes, to be filled through data().
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
    // Returns all size() bytes.
    std::string_view text() const { return {bytes_.get(), size_}; }
    // Shortens the text to `size` bytes and wipes the rest at once.
    void shrink(std::size_t size)
    {
        sodium_memzero(bytes_.get() + size, size_ - size);
        size_ = size;
    }

private:
    std::unique_ptr<char[]> bytes_;
    std::size_t size_ = 0;
};
