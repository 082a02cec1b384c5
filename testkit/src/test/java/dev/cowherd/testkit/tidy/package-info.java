/** House rules as tests: they read the project's own sources, so that a rule broken is a build broken. */
@NullMarked
package dev.cowherd.testkit.tidy;

import org.jspecify.annotations.NullMarked;
