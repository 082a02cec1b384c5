/**
 * Measures the tests: puts known faults of other engines into this one's source, one at a time, and sees whether the suites notice. The
 * faults exist only here, as pieces of text to be replaced, and in classes that a child process loads.
 */
@NullMarked
package dev.cowherd.proof.recall;

import org.jspecify.annotations.NullMarked;
