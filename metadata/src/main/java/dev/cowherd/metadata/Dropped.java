package dev.cowherd.metadata;

/**
 * References that tables have lost: one for each cluster of a run.
 *
 * @param cluster the first host cluster
 * @param count how many, 1 or more
 * @param stamp when they were unlinked, see {@link Epochs}
 */
record Dropped(long cluster, long count, long stamp) {}
