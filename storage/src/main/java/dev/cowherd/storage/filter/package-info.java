/**
 * Storages that stand in front of another one and do something on the way: fail, wait, take notes, hold back.
 *
 * <p>Invariants: a filter passes every operation on unchanged or not at all; a reopened handle has the same filter around it
 * and shares its state. Filters know the storage's interface only, never a file or an image.
 */
@NullMarked
package dev.cowherd.storage.filter;

import org.jspecify.annotations.NullMarked;
