// Augmentation: images displaced, thickened and blurred.
#pragma once

#include <algorithm>
#include <cstdint>

#include "scratch.hpp"
#include "simd.hpp"
#include "threads.hpp"

namespace chainrule::CHAINRULE_ISA {
namespace {

// Apply `take` to each column of three rows, then to each three of the results: a function of the 3 x 3 neighborhood. The
// image has a border of one pixel, and so have the rows of `out`, which are `line` apart.
template <class Take>
void of_neighbours(const float* image, Index line, Index H, Index W, float* column, float* out, Take take) {
    for (Index p = 0; p < H; ++p) {
        const float* from = image + p * line;
        for (Index q = 0; q < W + 2; ++q) column[q] = take(take(from[q], from[line + q]), from[2 * line + q]);
        float* to = out + (p + 1) * line + 1;
        for (Index q = 0; q < W; ++q) to[q] = take(take(column[q], column[q + 1]), column[q + 2]);
    }
}

// Each output pixel is read at its own position, then mixed with its neighbors.
void distort_images(
    const std::uint8_t* x, const float* maps, const float* controls, const float* row_weights, const float* column_weights,
    const float* thickness, const float* blur, std::uint8_t* y, Index N, Index C, Index H, Index W, Index G) {
    Scratch<float> turned(G * W);  // column weights, one row per control point
    transpose(column_weights, G, turned.data(), W, G, W);
    divide_if(N * C * H * W > 8192, [&](int part, int parts) {
        const auto [first, last] = stretch(N, part, parts);
        const Index line = W + 4, size = (H + 4) * line;
        Scratch<float> padded(size), half(G), place(2 * H * W), image(size), near(size), column(line);
        for (float* memory : {padded.data(), image.data(), near.data()}) std::fill(memory, memory + size, 0.0f);
        for (Index n = first; n < last; ++n) {
            const float* map = maps + n * 6;
            for (Index d = 0; d < 2; ++d)
                for (Index p = 0; p < H; ++p) {
                    const float* control = controls + (n * 2 + d) * G * G;
                    std::fill(half.data(), half.data() + G, 0.0f);
                    for (Index i = 0; i < G; ++i)
                        for (Index j = 0; j < G; ++j) half[j] += row_weights[p * G + i] * control[i * G + j];
                    const float down = static_cast<float>(p) - 0.5f * static_cast<float>(H - 1);
                    const float begin = map[3 * d] * down + map[3 * d + 2] + 0.5f * static_cast<float>((d ? W : H) - 1);
                    float* at = place.data() + (d * H + p) * W;
                    for (Index q = 0; q < W; ++q)
                        at[q] = begin + map[3 * d + 1] * (static_cast<float>(q) - 0.5f * static_cast<float>(W - 1));
                    for (Index j = 0; j < G; ++j)
                        for (Index q = 0; q < W; ++q) at[q] += half[j] * turned[j * W + q];
                    const float most = static_cast<float>(d ? W : H);
                    for (Index q = 0; q < W; ++q) at[q] = (at[q] >= -1.0f ? (at[q] < most ? at[q] : most) : -1.0f) + 1.0f;
                }
            for (Index c = 0; c < C; ++c) {
                const std::uint8_t* from = x + (n * C + c) * H * W;
                for (Index p = 0; p < H; ++p)
                    for (Index q = 0; q < W; ++q) padded[(p + 1) * line + q + 1] = from[p * W + q];
                for (Index p = 0; p < H; ++p)
                    for (Index q = 0; q < W; ++q) {
                        const float down = place[p * W + q], across = place[(H + p) * W + q];
                        const auto i = static_cast<std::int32_t>(down), j = static_cast<std::int32_t>(across);
                        const float a = down - static_cast<float>(i), b = across - static_cast<float>(j);
                        const float* four = padded.data() + i * line + j;
                        const float upper = four[0] * (1 - b) + four[1] * b;
                        const float lower = four[line] * (1 - b) + four[line + 1] * b;
                        image[(p + 1) * line + q + 1] = upper * (1 - a) + lower * a;
                    }
                const auto mix = [&](float share) {
                    for (Index p = 1; p <= H; ++p)
                        for (Index q = p * line + 1; q <= p * line + W; ++q) image[q] += share * (near[q] - image[q]);
                };
                if (thickness[n] > 0) {
                    of_neighbours(image.data(), line, H, W, column.data(), near.data(), [](float a, float b) { return a < b ? b : a; });
                    mix(thickness[n]);
                } else if (thickness[n] < 0) {
                    of_neighbours(image.data(), line, H, W, column.data(), near.data(), [](float a, float b) { return b < a ? b : a; });
                    mix(-thickness[n]);
                }
                if (blur[n] != 0) {
                    of_neighbours(image.data(), line, H, W, column.data(), near.data(), [](float a, float b) { return a + b; });
                    for (Index i = 0; i < size; ++i) near[i] *= 1.0f / 9;
                    mix(blur[n]);
                }
                std::uint8_t* to = y + (n * C + c) * H * W;
                for (Index p = 0; p < H; ++p)
                    for (Index q = 0; q < W; ++q) {
                        const float value = image[(p + 1) * line + q + 1] + 0.5f;
                        to[p * W + q] = static_cast<std::uint8_t>(value >= 0 ? (value < 255.5f ? value : 255.0f) : 0.0f);
                    }
            }
        }
    });
}

}  // namespace
}  // namespace chainrule::CHAINRULE_ISA
