"""What verbs print, a file for each outcome: as tables, trees and lines, or as JSON."""
