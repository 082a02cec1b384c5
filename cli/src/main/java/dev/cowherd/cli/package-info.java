/** The command line: parse, call, print. */
@NullMarked
package dev.cowherd.cli;

import org.jspecify.annotations.NullMarked;
