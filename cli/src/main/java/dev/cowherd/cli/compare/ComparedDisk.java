package dev.cowherd.cli.compare;

import dev.cowherd.cli.disk.SectorDisk;

/**
 * One of the two disks.
 *
 * @param fileName the image, as the user named it
 * @param disk its content
 */
public record ComparedDisk(String fileName, SectorDisk disk) {}
