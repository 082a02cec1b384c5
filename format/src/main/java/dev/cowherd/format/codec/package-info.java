/** Codecs of compressed clusters: one cluster in, exactly one cluster out, never more memory than that. */
@NullMarked
package dev.cowherd.format.codec;

import org.jspecify.annotations.NullMarked;
