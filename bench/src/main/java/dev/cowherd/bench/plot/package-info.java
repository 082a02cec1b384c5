/**
 * Line charts as SVG text, from numbers to a file, without a window system or fonts of the machine.
 *
 * <p>Same numbers, same bytes. It must not know what was measured.
 */
@NullMarked
package dev.cowherd.bench.plot;

import org.jspecify.annotations.NullMarked;
