"""Long reads: HiFi and nanopore molecules read, mapped and described."""
